"""The text of a network around the layers that its file has: its class, and the check of the whole."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import Template
from typing import Literal, TypeAlias

from tannaka.codegen.description import (
    ACTIVATIONS,
    Activation,
    Gate,
    Linear,
    Model,
    NormActivation,
)
from tannaka.codegen.network import after, word
from tannaka.codegen.standalone.axes import Axes
from tannaka.codegen.standalone.tables import WIDTH

Names: TypeAlias = Mapping[str, str]
"""What the names in the file of a layer are in the file of all."""
Place: TypeAlias = tuple[int, Literal["IN", "OUT"]]
"""Features on the way through: the input or the output of a linear layer."""

NORM = '''\
class NormActivation(nn.Module):
    """Features times a function of their length in each channel: y = x f(|x| + bias).

    |x| is the root mean square over the last ``axes`` axes before that of the channels.
    """

    def __init__(
        self,
        function: Callable[[Tensor], Tensor],
        axes: int,
        channels: int,
        *,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.function, self.axes = function, axes
        self.bias = nn.Parameter(torch.zeros(channels, device=device, dtype=dtype))

    def forward(self, x: Tensor, real: Tensor | None = None) -> Tensor:
        """Map (*batch, n, ..., n, channels) to the same; ``real`` is False where entries are padding."""
        if real is not None:
            x = torch.where(real, x, 0.0)
        # Squares of halves may vanish, or be too large.
        square = x.to(torch.promote_types(x.dtype, torch.float32)).square()
        over = tuple(range(-1 - self.axes, -1))
        if over and real is None:
            square = square.mean(over, keepdim=True)
        elif over and real is not None:
            count = real.expand_as(x).sum(over, keepdim=True).clamp(min=1)
            square = square.sum(over, keepdim=True) / count
        return x * self.function((square + 1e-12).sqrt().to(x.dtype) + self.bias)


'''

CLASS = Template('''\
class ${name}(nn.Module):
    """Network that commutes with ${group}: ${layers}."""

    group = "${group}"
    in_order, out_order = ${orders}
    in_channels, out_channels = ${channels}

    def __init__(
        self, *, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> None:
        super().__init__()
${made}
    def forward(self, x: Tensor${mask}) -> Tensor:
        """Map ${shape_in} to ${shape_out}."""
${run}

def check() -> None:
    """Stop with an error unless the layers are what this file says, and the network commutes."""
${checks}    torch.manual_seed(0)

    def compare(what: str, got: Tensor, want: Tensor) -> None:
        error = float((got - want).abs().max()) / max(float(want.abs().max()), 1e-300)
        print(f"the network {what}: relative error {error:.1e}")
        if not error < 1e-10 or not want.any():
            raise SystemExit(f"FAILED: the network {what}, or is 0")

    def outputs(*inputs: Tensor) -> Tensor:
        return torch.cat([network(*inputs) for network in networks])

    networks: list[${name}] = []
    x = torch.randn(${x_shape}, dtype=torch.float64)
    g = ${random_element}(${sizes})
    with torch.no_grad():
        # Weights as they start, where few functions are flat; those that make 0 of x say nothing.
        for _ in range(100):
            network = ${name}(dtype=torch.float64)
            for name, parameter in network.named_parameters():
                if name.endswith("bias"):
                    nn.init.normal_(parameter)
            if network(x).any():
                networks.append(network)
            if len(networks) == 5:
                break
        if not networks:
            raise SystemExit("FAILED: the network is 0")
${padding}        got = outputs(${act_in}(g, x, ${in_order}))
        want = ${act_out}(g, outputs(x), ${out_order})
        compare("commutes with a random group element", got, want)


if __name__ == "__main__":
    check()
''')

PADDING = Template("""\
        # The second of two inputs has ${few} points of ${n}; what stands at the others does not matter.
        mask = torch.arange(${n}) < torch.tensor([[${n}], [${few}]])
        got = outputs(x.where(${real}, torch.nan), mask)[1::2]
        want = outputs(x[1:, ${fewer_in}])
        compare("does not see padding", got${fewer_out}, want)
""")
ZEROS = """\
        compare("leaves 0 there", got.square().sum(), want.square().sum())
"""


@dataclass(frozen=True)
class NetworkText:
    """A network in words of Python; ``axes`` are those of its linear layers, in order."""

    described: Model
    axes: tuple[Axes, ...]

    def imports(self) -> list[str]:
        """What the network imports, besides what its layers do."""
        norms = any(isinstance(step, NormActivation) for step in self.described.steps)
        return ["from collections.abc import Callable"] * norms

    def docstring(self) -> str:
        """What the file is, and what stands in it in which order."""
        end, number, lines = self._places()[-1], 0, []
        for step in self.described.steps:
            if isinstance(step, Linear | Gate):
                linear, number = (step.linear if isinstance(step, Gate) else step), number + 1
                lines.append(
                    f"    linear{number}: order {linear.k} to {linear.l}, "
                    f"{linear.in_channels} to {linear.out_channels} channels"
                )
            if isinstance(step, Gate):
                lines[-1] += f", and its input times {step.name} of that"
            elif isinstance(step, NormActivation):
                each = f" for each index of order {step.each}" if word(step.each) else ""
                lines.append(f"    times {step.name} of the length{each}")
            elif isinstance(step, Activation):
                lines.append(f"    {step.name}")
        shapes = f"Input {self._shaped((0, 'IN'))}, output {self._shaped(end)}: channels last."
        use = (
            f"{self.described.name}() needs no arguments. Each layer is the sum over its DIAGRAMS of "
            "the matrix of the diagram, its channels multiplied by the row of the weight with the "
            "same number. Run this file to check the layers against dense references, and the "
            "network as a whole."
        )
        headline = f"Network that commutes with {self.axes[0].group}."
        return "\n".join(
            [headline, "", *textwrap.wrap(shapes, 99), "", *lines, "", *textwrap.wrap(use, 99)]
        )

    def definition(self, names: Sequence[Names]) -> str:
        """The class of the network, and the check of all; ``names`` are those of each layer."""
        end, first = self._places()[-1], self.axes[0]
        linears = self.described.linears
        masked = first.masked is not None
        x_shape = (2, *(first.own()[kind] for kind in first.inputs), linears[0].in_channels)
        n = None if first.masked not in first.inputs else first.own()[first.masked]
        norms = any(isinstance(step, NormActivation) for step in self.described.steps)
        return NORM * norms + CLASS.substitute(
            name=self.described.name,
            group=first.group,
            layers="1 linear layer" if len(linears) == 1 else f"{len(linears)} linear layers",
            orders=f"{self._order((0, 'IN'))!r}, {self._order(end)!r}",
            channels=f"{linears[0].in_channels}, {self._channels(end)}",
            made=_indented(self._made()),
            mask=", mask: Tensor | None = None" * masked,
            shape_in=self._shaped((0, "IN")),
            shape_out=self._shaped(end),
            run=_indented(self._run(names)),
            checks="".join(f"    {each['check']}()\n" for each in names),
            x_shape=x_shape,
            random_element=names[0].get("random_element", "random_element"),
            sizes="" if first.fixed else first.literal(first.own()),
            act_in=names[0].get("act", "act"),
            act_out=names[end[0]].get("act", "act"),
            in_order=repr(self._order((0, "IN"))),
            out_order=repr(self._order(end)),
            padding=self._padding(names, n),
        )

    def _places(self) -> list[Place]:
        """The features before each step, and after all."""
        place: Place = (0, "IN")
        places, number = [place], 0
        for step in self.described.steps:
            if isinstance(step, Linear):
                place, number = (number, "OUT"), number + 1
            elif isinstance(step, Gate):
                place, number = (number, "IN"), number + 1
            places.append(place)
        return places

    def _order(self, place: Place) -> int | tuple[int, ...]:
        plan = self.axes[place[0]].plan
        found: int | tuple[int, ...] = plan.dom if place[1] == "IN" else plan.cod
        return found

    def _channels(self, place: Place) -> int:
        plan = self.axes[place[0]].plan
        return plan.in_channels if place[1] == "IN" else plan.out_channels

    def _shaped(self, place: Place) -> str:
        return self.axes[place[0]].shaped(place[1])

    def _real(self, place: Place, names: Sequence[Names]) -> str:
        """Which entries of padded features are real."""
        number, side = place
        side_word = self.axes[number].word(side)
        found = names[number]
        return f"{found.get('real', 'real')}(mask, {found.get(side_word, side_word)})"

    def _cleaned(self, place: Place, names: Sequence[Names]) -> str:
        """The features with 0 where they are padded."""
        return f"x if mask is None else torch.where({self._real(place, names)}, x, 0.0)"

    def _made(self) -> Iterator[str]:
        """The statements that make its modules."""
        name, linears, norms = self.described.name, 0, 0
        for step in self.described.steps:
            if isinstance(step, Linear | Gate):
                linears += 1
                opening = f"self.linear{linears} = {name}Linear{linears}("
                given = "device=device, dtype=dtype"
                # Eight spaces stand before it, and one parenthesis after.
                long = len(opening) + len(given) + 9 > WIDTH
                yield from (opening, f"    {given}", ")") if long else (f"{opening}{given})",)
            elif isinstance(step, NormActivation):
                norms += 1
                over = len(word(after(step.order, step.each)))
                given = f"{ACTIVATIONS[step.name]}, {over}, {step.channels}"
                yield f"self.norm{norms} = NormActivation({given}, device=device, dtype=dtype)"

    def _run(self, names: Sequence[Names]) -> Iterator[str]:
        """The statements of its forward pass."""
        kind, places = self.axes[0].masked, self._places()
        hidden = [kind is not None and kind in word(self._order(place)) for place in places]
        clean = isinstance(self.described.steps[0], Linear)
        if hidden[0] and not clean:
            # What is no number stays out of gradients.
            yield f"x = {self._cleaned(places[0], names)}"
        linears = norms = 0
        made = "x"
        for step, place, padded in zip(self.described.steps, places, hidden, strict=False):
            if made != "x":
                yield f"x = {made}"
            if isinstance(step, Linear | Gate):
                linears += 1
                mask = ", mask" * (self.axes[linears - 1].masked is not None)
                made = f"self.linear{linears}(x{mask})"
            if isinstance(step, Linear):
                clean = True
            elif isinstance(step, Gate):
                yield f"s = {made}"
                more = len(word(step.linear.k)) - len(word(step.linear.l))
                spread = f"[..., {'None, ' * more}:]" * bool(more)
                made = f"x * {ACTIVATIONS[step.name]}(s){spread}"
            elif isinstance(step, NormActivation):
                norms, clean = norms + 1, True
                real = f", None if mask is None else {self._real(place, names)}" * padded
                made = f"self.norm{norms}(x{real})"
            else:
                made, clean = f"{ACTIVATIONS[step.name]}(x)", False
        if hidden[-1] and not clean:
            # What a function makes of 0 need not be 0.
            yield f"x = {made}"
            made = self._cleaned(places[-1], names)
        if made.startswith("self."):
            # To checkers of types, modules give anything.
            yield f"y: Tensor = {made}"
            made = "y"
        yield f"return {made}"

    def _padding(self, names: Sequence[Names], n: int | None) -> str:
        """Comparing a padded input with what was padded, where a mask may hide points."""
        first, end = self.axes[0], self._places()[-1]
        if first.masked is None or n is None:
            return ""
        few = n // 2 + 1 if n > 1 else 1
        taken = [
            "".join(f", :{few}" if kind == first.masked else ", :" for kind in word(order))
            for order in (first.plan.dom, self._order(end))
        ]
        text = PADDING.substitute(
            n=n,
            few=few,
            real=self._real((0, "IN"), names),
            fewer_in=taken[0][2:],
            fewer_out=f"[:{taken[1]}]" if taken[1] else "",
        )
        return text + ZEROS * (first.masked in word(self._order(end)))


def _indented(statements: Iterator[str]) -> str:
    return "".join(f"        {line}\n" for line in statements)
