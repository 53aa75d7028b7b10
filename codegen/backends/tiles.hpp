// Tiles: what every kernel below is made of.
//
// Features are channels last, so a position of a tensor is a row of channels in one piece. A tile
// packs the features of some positions as rows of a small matrix, which stays in the cache, and
// multiplies it by panels of the weight, a few registers wide. Where a tensor is mixed with all
// permutations of itself, positions go in orbits: y_ij = A x_ij + B x_ji and y_ji = A x_ji + B x_ij
// together are
//
//     y_ij, y_ji = S (x_ij + x_ji) +- D (x_ij - x_ji),  S = (A + B) / 2,  D = (A - B) / 2,
//
// which reads x once, writes y once, and takes half the multiply-adds. That is the Fourier
// transform of the group of two elements; with three axes it is that of S(3), and takes 10 products
// of 36. An infinite entry may come out as NaN: infinity less infinity is.

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <utility>
#include <vector>

#include <omp.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

namespace {

using T = SCALAR;
using Size = std::int64_t;

#if defined(__AVX512F__)
constexpr Size BYTES = 64, REGISTERS = 32;
#elif defined(__AVX__)
constexpr Size BYTES = 32, REGISTERS = 16;
#elif defined(__aarch64__)
constexpr Size BYTES = 16, REGISTERS = 32;
#else
constexpr Size BYTES = 16, REGISTERS = 16;
#endif

#define INLINE inline __attribute__((always_inline))
// What threads do together, between two barriers.
#define STAGE __attribute__((noinline)) void

// A vector register, read and written at any address.
typedef T V __attribute__((vector_size(BYTES), aligned(alignof(T)), may_alias));
constexpr Size W = BYTES / sizeof(T);
// Registers that hold results; the others hold factors.
constexpr int RESULTS = REGISTERS == 32 ? 24 : 12;

INLINE V load(const T* p) { return *reinterpret_cast<const V*>(p); }
INLINE void store(T* p, V v) { *reinterpret_cast<V*>(p) = v; }
constexpr Size ceil_div(Size a, Size b) { return (a + b - 1) / b; }
constexpr Size ceil_to(Size a, Size b) { return ceil_div(a, b) * b; }

// How a row of C numbers is cut into panels, each `vectors` registers wide.
template <Size C>
struct Panels {
  static constexpr Size all = ceil_div(C, W);
  static constexpr int vectors = all % 3 == 0 ? 3 : all == 1 ? 1 : 2;
  static constexpr Size width = vectors * W;
  static constexpr Size count = ceil_div(all, vectors);
  // Tensors that stay in here have rows of this length, so that registers are read whole.
  static constexpr Size row = count * width;
};

// The number of a row, from that of its first axis and the indices on the others.
template <class... Indices>
INLINE Size at(Size n, Size first, Indices... rest) {
  ((first = first * n + rest), ...);
  return first;
}

// Write the channels from c on, as far as they belong to a row of C.
template <Size C>
INLINE void store_row(T* row, Size c, V v) {
  if (Panels<C>::row == C || c + W <= C) {
    store(row + c, v);
  } else {
    for (Size lane = 0; c + lane < C; ++lane) row[c + lane] = v[lane];
  }
}

template <Size C>
INLINE void copy(T* __restrict to, const T* __restrict from) {
  std::memcpy(to, from, C * sizeof(T));
}

INLINE void zero(T* to, Size count) { std::fill_n(to, count, T(0)); }

INLINE void add(T* __restrict to, const T* __restrict from, Size count) {
  for (Size c = 0; c < count; ++c) to[c] += from[c];
}

INLINE void scale(T* to, Size count, T factor) {
  for (Size c = 0; c < count; ++c) to[c] *= factor;
}

// Rows that are read together, part of a second-level cache, and how far ahead they are asked for.
template <Size C>
constexpr Size SLAB = std::max<Size>(8, 65536 / (C * sizeof(T)) / 8 * 8);
constexpr Size AHEAD = 8192 / sizeof(T);

// Read some rows once: add them to the same rows of `each` tensors, and their sum, which is kept in
// registers, to a row of `all` others.
template <Size C, int each, int all, Size first = 0>
INLINE void add_rows(const T* from, Size rows, T* const (&to)[each + all]) {
  constexpr Size left = (C - first) / W;
  if constexpr (left > 0) {
    constexpr int vectors = left < 8 ? left : 8, sums = vectors == 1 ? 4 : vectors < 4 ? 2 : 1;
    V sum[sums][vectors] = {};
    const auto read = [&](Size row, int s) __attribute__((always_inline)) {
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) {
        const Size place = row * C + first + v * W;
        __builtin_prefetch(from + place + AHEAD);
        const V x = load(from + place);
        for (int t = 0; t < each; ++t) store(to[t] + place, load(to[t] + place) + x);
        sum[s][v] += x;
      }
    };
    Size row = 0;
    for (; row + sums <= rows; row += sums)
#pragma GCC unroll 4
      for (int s = 0; s < sums; ++s) read(row + s, s);
    for (; row < rows; ++row) read(row, 0);
    for (int s = 1; s < sums; ++s)
      for (int v = 0; v < vectors; ++v) sum[0][v] += sum[s][v];
    for (int t = each; t < each + all; ++t)
      for (int v = 0; v < vectors; ++v)
        store(to[t] + first + v * W, load(to[t] + first + v * W) + sum[0][v]);
    add_rows<C, each, all, first + vectors * W>(from, rows, to);
  } else {
    for (Size row = 0; row < rows; ++row)
      for (Size c = first; c < C; ++c) {
        for (int t = 0; t < each; ++t) to[t][row * C + c] += from[row * C + c];
        for (int t = each; t < each + all; ++t) to[t][c] += from[row * C + c];
      }
  }
}

// The Fourier transform of a function on permutations, listed in lexicographic order: of no axis or
// one, of two and of three. The last has the trivial representation, the sign, and the four entries
// of the matrices of the permutations of three points in the basis e0 - e1, e1 - e2.
template <class N>
INLINE void transform(const N (&x)[1], N (&h)[1]) {
  h[0] = x[0];
}

template <class N>
INLINE void transform(const N (&x)[2], N (&h)[2]) {
  h[0] = x[0] + x[1];
  h[1] = x[0] - x[1];
}

template <class N>
INLINE void transform(const N (&x)[6], N (&h)[6]) {
  h[0] = (x[0] + x[3] + x[4]) + (x[1] + x[2] + x[5]);
  h[1] = (x[0] + x[3] + x[4]) - (x[1] + x[2] + x[5]);
  h[2] = (x[0] - x[4]) + (x[1] - x[2]);
  h[3] = (x[4] - x[3]) + (x[2] - x[5]);
  h[4] = (x[3] - x[4]) + (x[1] - x[5]);
  h[5] = (x[0] - x[3]) + (x[2] - x[1]);
}

// Back, where h was divided by 2, or by 6, 6, 3, 3, 3, 3.
template <class N>
INLINE void transform_back(const N (&h)[1], N (&x)[1]) {
  x[0] = h[0];
}

template <class N>
INLINE void transform_back(const N (&h)[2], N (&x)[2]) {
  transform(h, x);
}

template <class N>
INLINE void transform_back(const N (&h)[6], N (&x)[6]) {
  const N even = h[0] + h[1], odd = h[0] - h[1];
  x[0] = even + (h[2] + h[5]);
  x[1] = odd + (h[2] + h[3] - h[5]);
  x[2] = odd + (h[4] + h[5] - h[2]);
  x[3] = even + (h[4] - h[2] - h[3]);
  x[4] = even + (h[3] - h[4] - h[5]);
  x[5] = odd - (h[3] + h[4]);
}

// Divided so for transform_back.
template <int count>
INLINE void divide(T (&h)[count]) {
  for (int i = 0; i < count; ++i) h[i] /= count == 6 && i >= 2 ? 3 : count;
}

// The transform of rows, times a factor.
template <Size C, int count>
INLINE void transform_rows(const T* const (&from)[count], T* const (&to)[count], T factor = 1) {
  Size c = 0;
  for (; c + W <= C; c += W) {
    V x[count], h[count];
    for (int i = 0; i < count; ++i) x[i] = load(from[i] + c) * factor;
    transform(x, h);
    for (int i = 0; i < count; ++i) store(to[i] + c, h[i]);
  }
  if constexpr (C % W != 0)
    for (; c < C; ++c) {
      T x[count], h[count];
      for (int i = 0; i < count; ++i) x[i] = from[i][c] * factor;
      transform(x, h);
      for (int i = 0; i < count; ++i) to[i][c] = h[i];
    }
}

// Rows of a tensor that each of `parts` threads has summed over its own values of the first index.
template <Size C>
void combine(const T* partial, T* to, Size count, Size rows, Size parts, T factor) {
#pragma omp for nowait
  for (Size r = 0; r < count * rows; ++r) {
    const T* from = partial + (r / rows * parts * rows + r % rows) * C;
    T* row = to + r * C;
    copy<C>(row, from);
    for (Size p = 1; p < parts; ++p) add(row, from + p * rows * C, C);
    scale(row, C, factor);
  }
}


// A position: the sample, and an index on each axis.
struct Row {
  Size b, i[ORDER];
};

// Run body(item) for all items, shared among the threads. `fixed` is for bodies that add to numbers
// of their thread: which thread has which items does then not depend on how fast they are.
template <bool fixed, class Body>
INLINE void share(Size items, Body body) {
  if constexpr (fixed) {
#pragma omp for schedule(static, 1) nowait
    for (Size item = 0; item < items; ++item) body(item);
  } else {
#pragma omp for schedule(dynamic) nowait
    for (Size item = 0; item < items; ++item) body(item);
  }
}

// All positions of an order, in tiles: pack(r, q) for position q, row r of its tile, and then
// use(rows, count) for the tile.
template <bool fixed, int order, Size most, class Pack, class Use>
INLINE void for_positions(Size samples, Size n, Pack pack, Use use) {
  Size all = samples;
  for (int axis = 0; axis < order; ++axis) all *= n;
  share<fixed>(ceil_div(all, most), [=](Size item) {
    Row rows[most];
    const Size first = item * most, count = std::min(most, all - first);
    for (Size r = 0; r < count; ++r) {
      Size number = first + r;
      for (int axis = order - 1; axis >= 0; --axis, number /= n) rows[r].i[axis] = number % n;
      rows[r].b = number;
      pack(r, rows[r]);
    }
    use(rows, count);
  });
}

// Orbits of positions ij or ijk, i <= j <= k, each of which stands for all its permutations; a tile
// has those whose indices lie in given blocks of `side` values.
template <bool fixed, int order, Size side, class Pack, class Use>
INLINE void for_orbits(Size samples, Size n, Pack pack, Use use) {
  const Size blocks = ceil_div(n, side);
  share<fixed>(samples * blocks * (order == 3 ? blocks : 1), [=](Size item) {
    Row rows[order == 3 ? side * side * side : side * side];
    const Size b = item / blocks / (order == 3 ? blocks : 1);
    const Size top = item % blocks * side, end = std::min(n, top + side);
    Size count = 0;
    if constexpr (order == 2) {
      for (Size left = top; left < n; left += side, count = 0) {
        for (Size i = top; i < end; ++i)
          for (Size j = std::max(i, left); j < std::min(n, left + side); ++j, ++count)
            pack(count, rows[count] = {b, {i, j}});
        use(rows, count);
      }
    } else {
      const Size left = item / blocks % blocks * side;
      if (left < top) return;
      for (Size back = left; back < n; back += side, count = 0) {
        for (Size i = top; i < end; ++i)
          for (Size j = std::max(i, left); j < std::min(n, left + side); ++j)
            for (Size k = std::max(j, back); k < std::min(n, back + side); ++k, ++count)
              pack(count, rows[count] = {b, {i, j, k}});
        use(rows, count);
      }
    }
  });
}

// How often an orbit lists each of its positions.
template <int order>
INLINE Size repeats(const Row& q) {
  if constexpr (order < 3) return q.i[0] == q.i[1] ? 2 : 1;
  return q.i[0] == q.i[2] ? 6 : q.i[0] == q.i[1] || q.i[1] == q.i[2] ? 2 : 1;
}

// Call use(row, number) for all permutations of a position.
template <int order, class Use>
INLINE void for_permutations(const Row& q, Use use) {
  const Size i = q.i[0], j = order > 1 ? q.i[1] : 0, k = order > 2 ? q.i[2] : 0;
  if constexpr (order <= 1) use(q, 0);
  if constexpr (order == 2) use(Row{q.b, {i, j}}, 0), use(Row{q.b, {j, i}}, 1);
  if constexpr (order == 3) {
    use(Row{q.b, {i, j, k}}, 0), use(Row{q.b, {i, k, j}}, 1), use(Row{q.b, {j, i, k}}, 2);
    use(Row{q.b, {j, k, i}}, 3), use(Row{q.b, {k, i, j}}, 4), use(Row{q.b, {k, j, i}}, 5);
  }
}

// results[r] = rows[r] @ panel, in registers; a panel has `depth` rows of `vectors` registers.
template <Size depth, int rows, int vectors>
INLINE void product(const T* a, const T* panel, T* results) {
  V sums[rows][vectors] = {};
  for (Size k = 0; k < depth; ++k) {
    V factors[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) factors[v] = load(panel + (k * vectors + v) * W);
#pragma GCC unroll 32
    for (int r = 0; r < rows; ++r) {
      const V broadcast = a[r * depth + k] - V{};
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sums[r][v] += broadcast * factors[v];
    }
  }
#pragma GCC unroll 32
  for (int r = 0; r < rows; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) store(results + (r * vectors + v) * W, sums[r][v]);
}

// sums += a.T @ b, for one block that stays in registers; rows of a and b have the given lengths.
template <int rows, int vectors>
INLINE void add_outer(const T* a, Size a_row, const T* b, Size b_row, Size depth, T* to) {
  V sums[rows][vectors] = {};
  for (Size r = 0; r < depth; ++r) {
    V factors[vectors];
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) factors[v] = load(b + r * b_row + v * W);
#pragma GCC unroll 32
    for (int m = 0; m < rows; ++m) {
      const V broadcast = a[r * a_row + m] - V{};
#pragma GCC unroll 8
      for (int v = 0; v < vectors; ++v) sums[m][v] += broadcast * factors[v];
    }
  }
#pragma GCC unroll 32
  for (int m = 0; m < rows; ++m)
#pragma GCC unroll 8
    for (int v = 0; v < vectors; ++v) {
      T* at = to + m * b_row + v * W;
      store(at, load(at) + sums[m][v]);
    }
}

// Mixing `K` numbers of a position to `E` results of `C` channels. With `axes` 2 or 3 positions go
// in orbits, of all permutations of so many axes: then products are of transforms, and of matrices
// where the representation is one of matrices.
template <Size K, Size C, int E, int axes>
struct Mixing {
  using P = Panels<C>;
  static constexpr int count = axes == 3 ? 6 : axes == 2 ? 2 : 1;
  // So many positions or orbits at a time: their results fill the registers.
  static constexpr int group = RESULTS / P::vectors / (axes > 1 ? 2 : 1);
  static constexpr Size panel = K * P::width;
  static constexpr Size weights = E * P::count * count * panel;
  // A tile takes at most about half of a second-level cache.
  static constexpr bool small = K * sizeof(T) <= 512;
  static constexpr Size side = axes == 3 ? (small ? 4 : 2) : small ? 12 : 6;
  static constexpr Size cut = small ? 96 : 24;
  static constexpr Size most = axes == 3 ? side * side * side : axes == 2 ? side * side : cut;
  static constexpr Size rows = ceil_to(most, group);
  static constexpr Size tile = count * rows * K;

  // Write the weight as panels: entry(e, s, k, o) is what number k, read in permutation s, adds to
  // channel o of result e.
  template <class Entry>
  static void pack(T* panels, Entry entry) {
#pragma omp for nowait
    for (Size number = 0; number < E * P::count; ++number) {
      const Size e = number / P::count, first = number % P::count * P::width;
      T* to = panels + number * count * panel;
      for (Size lane = 0; lane < P::width; ++lane, ++to)
        for (Size k = 0; k < K; ++k) {
          T x[count] = {}, h[count];
          for (int s = 0; s < count && first + lane < C; ++s) x[s] = entry(e, s, k, first + lane);
          transform(x, h);
          divide(h);
          // The matrix of two rows and columns goes column by column.
          for (int i = 0; i < count; ++i)
            to[(i == 3 ? 4 : i == 4 ? 3 : i) * panel + k * P::width] = h[i];
        }
    }
  }

  // Put a feature, number f, of an orbit into row r: one address for each permutation.
  template <Size IN_C, class... Addresses>
  static INLINE void put(T* tile, Size r, Size f, Addresses... from) {
    T* to[count];
    for (int i = 0; i < std::min(count, 2); ++i) to[i] = tile + (i * rows + r) * K + f * IN_C;
    for (int i = 2; i < count; ++i) to[i] = tile + 2 * rows * K + (4 * r + i - 2) * K + f * IN_C;
    if constexpr (count == 1) {
      copy<IN_C>(to[0], from...);
    } else {
      transform_rows<IN_C, count>({from...}, to);
    }
  }

  // finish(e, q, c, v) takes a register of channels, from c on, of result e at position q.
  template <class Finish>
  static INLINE void multiply(const T* tile, const Row* positions, Size number, const T* panels,
                              Finish finish) {
    for (Size e = 0; e < E; ++e)
      for (Size p = 0; p < P::count; ++p, panels += count * panel)
        for (Size first = 0; first < number; first += group) {
          alignas(64) T results[count][group][P::width];
          for (int i = 0; i < std::min(count, 2); ++i)
            product<K, group, P::vectors>(tile + (i * rows + first) * K, panels + i * panel,
                                          results[i][0]);
          // Rows of a matrix follow each other, so columns of the result come two rows at a time.
          if constexpr (axes == 3)
            for (int column = 0; column < 2; ++column)
              product<2 * K, 2 * group, P::vectors>(tile + 2 * rows * K + 4 * first * K,
                                                    panels + (2 + 2 * column) * panel,
                                                    results[2 + 2 * column][0]);
          for (Size r = 0; r < std::min<Size>(group, number - first); ++r)
            for (Size c = 0; c < P::width; c += W) {
              V h[count], y[count];
              for (int i = 0; i < std::min(count, 2); ++i) h[i] = load(results[i][r] + c);
              for (int i = 2; i < count; ++i)
                h[i] = load(results[2 + i % 2 * 2][0] + (2 * r + i / 2 - 1) * P::width + c);
              transform_back(h, y);
              for_permutations<axes>(positions[first + r], [&](const Row& q, int s) {
                finish(e, q, p * P::width + c, y[s]);
              });
            }
        }
  }
};

// The gradient of a mixing: sums over positions of M numbers of one tile times K of another.
template <Size M, Size K, int axes>
struct Outer {
  static constexpr int count = axes == 3 ? 6 : axes == 2 ? 2 : 1;
  // Rows of the tiles, and of the sums, are padded to whole registers and to groups of them. The
  // representation of matrices has rows of twice the length.
  static constexpr int group = RESULTS / Panels<K>::vectors;
  static constexpr Size height = ceil_to(M, group), width = Panels<K>::row;
  static constexpr Size block = height * width, sums = count * block;
  static constexpr bool small = (M + K) * sizeof(T) <= 1024;
  static constexpr Size side = axes == 3 ? (small ? 4 : 2) : small ? 12 : 6;
  static constexpr Size cut = small ? 96 : 24;
  static constexpr Size most = axes == 3 ? side * side * side : axes == 2 ? side * side : cut;
  static constexpr Size left = count * most * height, tile = left + count * most * width;

  // Put a number of channels of an orbit into row r, from column f on: of the left tile, or of the
  // right one, which takes the transform at inverse permutations, times a factor.
  template <Size C, class... Addresses>
  static INLINE void put_left(T* tile, Size r, Size f, Addresses... from) {
    put<C, false>(tile, r, f, height, 1, {from...});
  }
  template <Size C, class... Addresses>
  static INLINE void put_right(T* tile, Size r, Size f, T factor, Addresses... from) {
    put<C, true>(tile, r, f, width, factor, {from...});
  }

  template <Size C, bool right>
  static INLINE void put(T* tile, Size r, Size f, Size length, T factor,
                         const T* const (&from)[count]) {
    T* to[count];
    for (int i = 0; i < std::min(count, 2); ++i) to[i] = tile + (i * most + r) * length + f;
    // Left rows are rows of the matrix, right rows are its columns.
    for (int i = 2; i < count; ++i) {
      const int row = right ? i % 2 : i / 2 - 1, column = right ? i / 2 - 1 : i % 2;
      to[i] = tile + 2 * most * length + (2 * r + row) * 2 * length + column * length + f;
    }
    if constexpr (count == 6 && right) {
      transform_rows<C, 6>({from[0], from[1], from[2], from[4], from[3], from[5]}, to, factor);
    } else {
      transform_rows<C, count>(from, to, factor);
    }
  }

  // sums += products of the first rows of the tiles.
  static void add_products(const T* a, const T* b, Size number, T* to) {
    for (int i = 0; i < std::min(count, 2); ++i)
      add_product<1>(a + i * most * height, b + i * most * width, number, to + i * block);
    if constexpr (axes == 3)
      add_product<2>(a + 2 * most * height, b + 2 * most * width, 2 * number, to + 2 * block);
  }

  template <Size times>
  static void add_product(const T* a, const T* b, Size number, T* to) {
    for (Size m = 0; m < times * height; m += group)
      for (Size k = 0; k < times * width; k += Panels<K>::width)
        add_outer<group, Panels<K>::vectors>(a + m, times * height, b + k, times * width, number,
                                             to + m * times * width + k);
  }

  // What the transform of the gradient at (m, k) comes to over all threads, and back.
  static INLINE void total(const T* sums_of_threads, Size m, Size k, T (&x)[count]) {
    T h[count];
    for (int i = 0; i < count; ++i) {
      Size place = i * block + m * width + k;
      if (i >= 2) place = 2 * block + ((i % 2 * height + m) * 2 + i / 2 - 1) * width + k;
      h[i] = 0;
      for (Size thread = 0; thread < omp_get_num_threads(); ++thread)
        h[i] += sums_of_threads[thread * sums + place];
    }
    divide(h);
    transform_back(h, x);
  }
};

// Ask for huge pages where a result is large: it is then new memory, not yet mapped, and mapping it
// page by page would take longer than writing it.
inline void expect_writes(void* memory, Size bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr std::uintptr_t PAGE = 1 << 21;
  const auto start = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t first = (start + PAGE - 1) / PAGE * PAGE;
  const std::uintptr_t last = (start + bytes) / PAGE * PAGE;
  if (bytes >= Size(8 * PAGE)) madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE);
#else
  (void)memory, (void)bytes;
#endif
}

// All memory that a call needs beside its arguments, in one piece.
class Workspace {
 public:
  Workspace() = default;
  Workspace(const Workspace&) = delete;
  ~Workspace() { std::free(memory_); }

  void add(T** pointer, Size count) {
    pointers_.push_back({pointer, total_});
    total_ += ceil_to(count * sizeof(T), 64);
  }

  bool allocate() {
    memory_ = static_cast<char*>(std::aligned_alloc(64, std::max<Size>(total_, 64)));
    if (!memory_) return false;
    expect_writes(memory_, total_);
    for (auto [pointer, offset] : pointers_) *pointer = reinterpret_cast<T*>(memory_ + offset);
    return true;
  }

 private:
  std::vector<std::pair<T**, Size>> pointers_;
  Size total_ = 0;
  char* memory_ = nullptr;
};

// Samples that are worked on at a time: what each thread reads and writes should stay in its cache.
inline Size chunk_of(Size batch, Size numbers_of_a_sample, int threads) {
  const Size fitting = threads * (Size(1) << 19) / (numbers_of_a_sample * Size(sizeof(T)) + 1);
  return std::max<Size>(1, std::min(batch, std::max<Size>(fitting, 1)));
}

// Parts in which each sample is summed, so that all threads have work.
inline Size parts_of(Size chunk, Size n, int threads) {
  return chunk >= 4 * threads || threads == 1 ? 1 : std::min<Size>(n, ceil_div(4 * threads, chunk));
}
