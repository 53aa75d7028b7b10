// Tiles: what every kernel below is made of.
//
// Features are channels last, so a position of a tensor is a row of channels that lies in one piece.
// A tile packs the features of some positions as rows of a small matrix, which stays in the cache,
// and multiplies it by panels of the weight, a few registers wide. Where a tensor is mixed with its
// own transpose, positions go in pairs: for y_ij = A x_ij + B x_ji and y_ji = A x_ji + B x_ij,
//
//     y_ij, y_ji = S (x_ij + x_ji) +- D (x_ij - x_ji),  S = (A + B) / 2,  D = (A - B) / 2,
//
// which reads x once, writes y once, and takes half the multiply-adds.

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
  // Tensors that stay in here have rows of this length, so that whole registers are read and written.
  static constexpr Size row = count * width;
};

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

// to += the sum of some rows, eight at a time: few writes, and small errors.
template <Size C>
INLINE void add_rows(T* __restrict to, const T* __restrict from, Size rows) {
  for (; rows >= 8; rows -= 8, from += 8 * C)
    for (Size c = 0; c < C; ++c)
      to[c] += ((from[c] + from[c + C]) + (from[c + 2 * C] + from[c + 3 * C])) +
               ((from[c + 4 * C] + from[c + 5 * C]) + (from[c + 6 * C] + from[c + 7 * C]));
  for (; rows > 0; --rows, from += C)
    for (Size c = 0; c < C; ++c) to[c] += from[c];
}

// The sum and the difference of two rows.
template <Size C>
INLINE void sum_and_difference(T* __restrict s, T* __restrict d, const T* a, const T* b, T factor = 1) {
  for (Size c = 0; c < C; ++c) {
    s[c] = (a[c] + b[c]) * factor;
    d[c] = a[c] - b[c];
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

// Rows that are read together, a part of a first-level cache.
template <Size C>
constexpr Size SLAB = std::max<Size>(8, 16384 / (C * sizeof(T)) / 8 * 8);

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

// The same for pairs of positions ij, i <= j, each of which stands for ji too.
template <bool fixed, Size side, class Pack, class Use>
INLINE void for_pairs(Size samples, Size n, Pack pack, Use use) {
  const Size blocks = ceil_div(n, side);
  share<fixed>(samples * blocks, [=](Size item) {
    Row rows[side * side];
    const Size top = item % blocks * side;
    for (Size left = top; left < n; left += side) {
      Size count = 0;
      for (Size i = top; i < std::min(n, top + side); ++i)
        for (Size j = std::max(i, left); j < std::min(n, left + side); ++j, ++count) {
          rows[count] = {item / blocks, {i, j}};
          pack(count, rows[count]);
        }
      use(rows, count);
    }
  });
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

// Mixing `K` numbers of a position to `E` results of `C` channels, in one product, or in two products
// of halves: of the sums and of the differences of a position and its transpose.
template <Size K, Size C, int E, int halves>
struct Mixing {
  using P = Panels<C>;
  // So many rows of results, of both halves, fill the registers.
  static constexpr int group = RESULTS / P::vectors / halves;
  static constexpr Size panel = K * P::width;
  static constexpr Size weights = E * P::count * halves * panel;
  // A tile is packed into about half of a second-level cache.
  static constexpr Size side = K * sizeof(T) <= 512 ? 12 : 6;
  static constexpr Size most = halves == 2 ? side * side : K * sizeof(T) <= 1024 ? 96 : 24;
  static constexpr Size rows = ceil_to(most, group);
  // A tile is `halves` matrices of `rows` rows of `depth` numbers.
  static constexpr Size depth = K, half = rows * K, tile = halves * half;

  // Write the weight as panels: entry(e, half, k, o) is what result e has of number k in channel o.
  template <class Entry>
  static void pack(T* panels, Entry entry) {
#pragma omp for nowait
    for (Size number = 0; number < E * P::count * halves; ++number) {
      const Size e = number / halves / P::count, first = number / halves % P::count * P::width;
      T* to = panels + number * panel;
      for (Size lane = 0; lane < P::width; ++lane)
        for (Size k = 0; k < K; ++k)
          to[k * P::width + lane] = first + lane < C ? entry(e, number % halves, k, first + lane) : T(0);
    }
  }

  // finish(e, q, c, s, d) takes channels c, c + 1, ... of result e at position q: a register of them,
  // and of the second half another one.
  template <class Finish>
  static INLINE void multiply(const T* tile, const Row* positions, Size count, const T* panels,
                              Finish finish) {
    for (Size e = 0; e < E; ++e)
      for (Size p = 0; p < P::count; ++p, panels += halves * panel)
        for (Size first = 0; first < count; first += group) {
          alignas(64) T results[halves][group][P::width];
          for (int half = 0; half < halves; ++half)
            product<K, group, P::vectors>(tile + (half * rows + first) * K,
                                             panels + half * panel, results[half][0]);
          for (Size r = 0; r < std::min<Size>(group, count - first); ++r)
            for (Size c = 0; c < P::width; c += W)
              finish(e, positions[first + r], p * P::width + c, load(results[0][r] + c),
                     load(results[halves - 1][r] + c));
        }
  }
};

// The gradient of a mixing: sums over positions of M numbers of one tile times K of another.
template <Size M, Size K, int halves>
struct Outer {
  using P = Panels<K>;
  static constexpr int group = RESULTS / P::vectors;
  // Rows of the two tiles, and of the sums, are padded to whole registers and groups of them.
  static constexpr Size height = ceil_to(M, group), width = P::row;
  static constexpr Size sums = halves * height * width;
  static constexpr Size side = (M + K) * sizeof(T) <= 1024 ? 12 : 6;
  static constexpr Size most = halves == 2 ? side * side : (M + K) * sizeof(T) <= 2048 ? 96 : 24;
  static constexpr Size left_half = most * height, right_half = most * width;
  static constexpr Size left = halves * left_half, tile = left + halves * right_half;

  // sums[m][k] += sum over rows r of a[r][m] * b[r][k], for each half.
  static void add_products(const T* a, const T* b, Size count, T* to) {
    for (int half = 0; half < halves; ++half)
      for (Size m = 0; m < height; m += group)
        for (Size k = 0; k < P::row; k += P::width)
          block(a + half * left_half + m, b + half * right_half + k, count,
                to + (half * height + m) * width + k);
  }

  static INLINE void block(const T* a, const T* b, Size count, T* to) {
    V sum[group][P::vectors] = {};
    for (Size r = 0; r < count; ++r) {
      V factors[P::vectors];
#pragma GCC unroll 8
      for (int v = 0; v < P::vectors; ++v) factors[v] = load(b + r * P::row + v * W);
#pragma GCC unroll 32
      for (int m = 0; m < group; ++m) {
        const V broadcast = a[r * height + m] - V{};
#pragma GCC unroll 8
        for (int v = 0; v < P::vectors; ++v) sum[m][v] += broadcast * factors[v];
      }
    }
#pragma GCC unroll 32
    for (int m = 0; m < group; ++m)
#pragma GCC unroll 8
      for (int v = 0; v < P::vectors; ++v) {
        T* at = to + m * P::row + v * W;
        store(at, load(at) + sum[m][v]);
      }
  }

  // What entry (m, k) comes to over all threads.
  static T total(const T* sums_of_threads, int half, Size m, Size k) {
    T sum = 0;
    for (Size thread = 0; thread < omp_get_num_threads(); ++thread)
      sum += sums_of_threads[thread * sums + (half * height + m) * P::row + k];
    return sum;
  }
};

// Ask for huge pages where a result is large: it is then new memory, not yet mapped, and mapping it
// page by page would take longer than writing it.
inline void expect_writes(void* memory, Size bytes) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr std::uintptr_t PAGE = 1 << 21;
  const auto start = reinterpret_cast<std::uintptr_t>(memory);
  const std::uintptr_t first = (start + PAGE - 1) / PAGE * PAGE, last = (start + bytes) / PAGE * PAGE;
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
