// Linear layer that commutes with S(9), from order 2 to 2.
//
// 15 diagrams, reduce=mean. In index notation, with W the rows of the weight and b those of the
//     bias:
//
//   c0[i] = x[ii]
//   c1[i] = mean over j of x[ij]
//   c2[j] = mean over i of x[ij]
//   c3[] = mean over i of c0[i]
//   c4[] = mean over i of c1[i]
//   m0[ij] = W6 x[ij] + W8 x[ji]
//   m1[i] = W0 c0[i] + W1 c1[i] + W2 c2[i]
//   m2[i] = W5 c0[i] + W7 c1[i] + W11 c2[i]
//   m3[i] = W9 c0[i] + W10 c1[i] + W12 c2[i]
//   m4[] = W3 c3[] + W4 c4[] + b0
//   m5[] = W13 c3[] + W14 c4[] + b1
//   y0 = m2 with m2[i] += m5[]
//   y1 = m1 with m1[i] += m4[]
//   y2 = m0 with m0[ij] += m3[j]
//   y3 = y2 with y2[ij] += y0[i]
//   y4 = y3 with y3[ii] += y1[i]
//   return y4
//
// The gradient of a tensor has its name with a d in front.

#ifndef SCALAR
#define SCALAR float
#define IN 3
#define OUT 5
#endif
#define ORDER 3
#define ABSENT -1

#include "tiles.hpp"

// The tensors of a chunk of samples, as many as `count`; sums over the first index come in parts.
struct Tensors {
  Size n, count, parts, tile;
  T *tiles, *x, *c0, *c1, *c2, *c2_parts, *c3, *c3_parts, *c4, *c4_parts, *m4, *m5, *m1, *m2, *m3,
      *y, *dy, *dm3, *dm3_parts, *dm2, *dm1, *dm5, *dm5_parts, *dm4, *dm4_parts, *dc3, *dc4, *dc0,
      *dc1, *dc2, *dx, *bias;
};

// c0[i] = x[ii]
// c1[i] = mean over j of x[ij]
// c2[j] = mean over i of x[ij]
STAGE reduce_x_2(Tensors t) {
#pragma omp for schedule(dynamic)
  for (Size item = 0; item < t.count * t.parts; ++item) {
    const Size b = item / t.parts, part = item % t.parts;
    const Size first = t.n * part / t.parts, last = t.n * (part + 1) / t.parts;
    zero(t.c1 + (b * t.n + first) * IN, (last - first) * IN);
    T* const c2 = t.c2_parts + item * t.n * IN;
    zero(c2, t.n * IN);
    for (Size j = 0; j < t.n; j += SLAB<IN>)
      for (Size i = first; i < last; ++i) {
        const Size rows = std::min(t.n - j, SLAB<IN>);
        const T* const slab = t.x + at(t.n, b, i, j) * IN;
        add_rows<IN, 1, 1>(slab, rows, {c2 + j * IN, t.c1 + at(t.n, b, i) * IN});
      }
    for (Size i = first; i < last; ++i)
      copy<IN>(t.c0 + at(t.n, b, i) * IN, t.x + at(t.n, b, i, i) * IN);
    scale(t.c1 + (b * t.n + first) * IN, (last - first) * IN, T(1) / T(t.n));
  }
  combine<IN>(t.c2_parts, t.c2, t.count, t.n, t.parts,
      T(1) / T(t.n));
#pragma omp barrier
}

// c3[] = mean over i of c0[i]
// c4[] = mean over i of c1[i]
STAGE reduce_x_1(Tensors t) {
#pragma omp for schedule(dynamic)
  for (Size item = 0; item < t.count * t.parts; ++item) {
    const Size b = item / t.parts, part = item % t.parts;
    const Size first = t.n * part / t.parts, last = t.n * (part + 1) / t.parts;
    T* const c3 = t.c3_parts + item * IN;
    zero(c3, IN);
    for (Size i = first; i < last; i += SLAB<IN>) {
      const Size rows = std::min(last - i, SLAB<IN>);
      const T* const slab = t.c0 + at(t.n, b, i) * IN;
      add_rows<IN, 0, 1>(slab, rows, {c3});
    }
    T* const c4 = t.c4_parts + item * IN;
    zero(c4, IN);
    for (Size i = first; i < last; i += SLAB<IN>) {
      const Size rows = std::min(last - i, SLAB<IN>);
      const T* const slab = t.c1 + at(t.n, b, i) * IN;
      add_rows<IN, 0, 1>(slab, rows, {c4});
    }
  }
  combine<IN>(t.c3_parts, t.c3, t.count, Size(1), t.parts,
      T(1) / T(t.n));
  combine<IN>(t.c4_parts, t.c4, t.count, Size(1), t.parts,
      T(1) / T(t.n));
#pragma omp barrier
}

INLINE void write_m4(const Tensors& t, Size b, Size c, V v) {
  v += load(t.bias + 0 * Panels<OUT>::row + c);
  store(t.m4 + b * Panels<OUT>::row + c, v);
}

INLINE void write_m5(const Tensors& t, Size b, Size c, V v) {
  v += load(t.bias + 1 * Panels<OUT>::row + c);
  store(t.m5 + b * Panels<OUT>::row + c, v);
}

// m1[i] += m4[]
INLINE void write_m1(const Tensors& t, Size b, Size i, Size c, V v) {
  v += load(t.m4 + b * Panels<OUT>::row + c);
  store(t.m1 + at(t.n, b, i) * Panels<OUT>::row + c, v);
}

// m2[i] += m5[]
INLINE void write_m2(const Tensors& t, Size b, Size i, Size c, V v) {
  v += load(t.m5 + b * Panels<OUT>::row + c);
  store(t.m2 + at(t.n, b, i) * Panels<OUT>::row + c, v);
}

INLINE void write_m3(const Tensors& t, Size b, Size i, Size c, V v) {
  store(t.m3 + at(t.n, b, i) * Panels<OUT>::row + c, v);
}

// y[ij] += m3[j]
// y[ij] += m2[i]
// y[ii] += m1[i]
INLINE void write_y(const Tensors& t, Size b, Size i, Size j, Size c, V v) {
  v += load(t.m3 + at(t.n, b, j) * Panels<OUT>::row + c);
  v += load(t.m2 + at(t.n, b, i) * Panels<OUT>::row + c);
  if (i == j) v += load(t.m1 + at(t.n, b, i) * Panels<OUT>::row + c);
  store_row<OUT>(t.y + at(t.n, b, i, j) * OUT, c, v);
}

// y[ij] = W6 x[ij] + W8 x[ji]
constexpr int ROWS_y[1][2] = {
    {6, 8},
};

using Mix_y = Mixing<1 * IN, OUT, 1, 2>;

STAGE pack_y(const T* weight, T* panels) {
  Mix_y::pack(panels, [=](Size e, Size s, Size k, Size o) {
    const Size f = k / IN, i = k % IN;
    return weight[(ROWS_y[e][s * 1 + f] * OUT + o) * IN + i];
  });
}

STAGE mix_y(Tensors t, const T* panels) {
  using Mix = Mix_y;
  T* const tile = t.tiles + omp_get_thread_num() * t.tile;
  for_orbits<false, 2, Mix::side>(t.count, t.n, [=](Size r, const Row& q) {
    const Size b = q.b, i = q.i[0], j = q.i[1];
    Mix::put<IN>(tile, r, 0, t.x + at(t.n, b, i, j) * IN, t.x + at(t.n, b, j, i) * IN);
  }, [=](const Row* rows, Size count) {
    Mix::multiply(tile, rows, count, panels, [=](Size e, const Row& q, Size c, V v) {
      const Size b = q.b, i = q.i[0], j = q.i[1];
      write_y(t, b, i, j, c, v);
    });
  });
}

// m1[i] = W0 c0[i] + W1 c1[i] + W2 c2[i]
// m2[i] = W5 c0[i] + W7 c1[i] + W11 c2[i]
// m3[i] = W9 c0[i] + W10 c1[i] + W12 c2[i]
constexpr int ROWS_m1[3][3] = {
    {0, 1, 2},
    {5, 7, 11},
    {9, 10, 12},
};

using Mix_m1 = Mixing<3 * IN, OUT, 3, 1>;

STAGE pack_m1(const T* weight, T* panels) {
  Mix_m1::pack(panels, [=](Size e, Size s, Size k, Size o) {
    const Size f = k / IN, i = k % IN;
    return weight[(ROWS_m1[e][f] * OUT + o) * IN + i];
  });
}

STAGE mix_m1(Tensors t, const T* panels) {
  using Mix = Mix_m1;
  T* const tile = t.tiles + omp_get_thread_num() * t.tile;
  for_positions<false, 1, Mix::most>(t.count, t.n, [=](Size r, const Row& q) {
    const Size b = q.b, i = q.i[0];
    Mix::put<IN>(tile, r, 0, t.c0 + at(t.n, b, i) * IN);
    Mix::put<IN>(tile, r, 1, t.c1 + at(t.n, b, i) * IN);
    Mix::put<IN>(tile, r, 2, t.c2 + at(t.n, b, i) * IN);
  }, [=](const Row* rows, Size count) {
    Mix::multiply(tile, rows, count, panels, [=](Size e, const Row& q, Size c, V v) {
      const Size b = q.b, i = q.i[0];
      switch (e) {
        case 0:
          write_m1(t, b, i, c, v);
          break;
        case 1:
          write_m2(t, b, i, c, v);
          break;
        case 2:
          write_m3(t, b, i, c, v);
          break;
      }
    });
  });
}

// m4[] = W3 c3[] + W4 c4[]
// m5[] = W13 c3[] + W14 c4[]
constexpr int ROWS_m4[2][2] = {
    {3, 4},
    {13, 14},
};

using Mix_m4 = Mixing<2 * IN, OUT, 2, 1>;

STAGE pack_m4(const T* weight, T* panels) {
  Mix_m4::pack(panels, [=](Size e, Size s, Size k, Size o) {
    const Size f = k / IN, i = k % IN;
    return weight[(ROWS_m4[e][f] * OUT + o) * IN + i];
  });
}

STAGE mix_m4(Tensors t, const T* panels) {
  using Mix = Mix_m4;
  T* const tile = t.tiles + omp_get_thread_num() * t.tile;
  for_positions<false, 0, Mix::most>(t.count, t.n, [=](Size r, const Row& q) {
    const Size b = q.b;
    Mix::put<IN>(tile, r, 0, t.c3 + b * IN);
    Mix::put<IN>(tile, r, 1, t.c4 + b * IN);
  }, [=](const Row* rows, Size count) {
    Mix::multiply(tile, rows, count, panels, [=](Size e, const Row& q, Size c, V v) {
      const Size b = q.b;
      switch (e) {
        case 0:
          write_m4(t, b, c, v);
          break;
        case 1:
          write_m5(t, b, c, v);
          break;
      }
    });
  });
}

// dm3[j] = sum over i of dy[ij]
// dm2[i] = sum over j of dy[ij]
// dm1[i] = dy[ii]
STAGE reduce_dy_2(Tensors t) {
#pragma omp for schedule(dynamic)
  for (Size item = 0; item < t.count * t.parts; ++item) {
    const Size b = item / t.parts, part = item % t.parts;
    const Size first = t.n * part / t.parts, last = t.n * (part + 1) / t.parts;
    T* const dm3 = t.dm3_parts + item * t.n * OUT;
    zero(dm3, t.n * OUT);
    zero(t.dm2 + (b * t.n + first) * OUT, (last - first) * OUT);
    for (Size j = 0; j < t.n; j += SLAB<OUT>)
      for (Size i = first; i < last; ++i) {
        const Size rows = std::min(t.n - j, SLAB<OUT>);
        const T* const slab = t.dy + at(t.n, b, i, j) * OUT;
        add_rows<OUT, 1, 1>(slab, rows, {dm3 + j * OUT, t.dm2 + at(t.n, b, i) * OUT});
      }
    for (Size i = first; i < last; ++i)
      copy<OUT>(t.dm1 + at(t.n, b, i) * OUT, t.dy + at(t.n, b, i, i) * OUT);
  }
  combine<OUT>(t.dm3_parts, t.dm3, t.count, t.n, t.parts,
      T(1));
#pragma omp barrier
}

// dm5[] = sum over i of dm2[i]
// dm4[] = sum over i of dm1[i]
STAGE reduce_dy_1(Tensors t) {
#pragma omp for schedule(dynamic)
  for (Size item = 0; item < t.count * t.parts; ++item) {
    const Size b = item / t.parts, part = item % t.parts;
    const Size first = t.n * part / t.parts, last = t.n * (part + 1) / t.parts;
    T* const dm5 = t.dm5_parts + item * OUT;
    zero(dm5, OUT);
    for (Size i = first; i < last; i += SLAB<OUT>) {
      const Size rows = std::min(last - i, SLAB<OUT>);
      const T* const slab = t.dm2 + at(t.n, b, i) * OUT;
      add_rows<OUT, 0, 1>(slab, rows, {dm5});
    }
    T* const dm4 = t.dm4_parts + item * OUT;
    zero(dm4, OUT);
    for (Size i = first; i < last; i += SLAB<OUT>) {
      const Size rows = std::min(last - i, SLAB<OUT>);
      const T* const slab = t.dm1 + at(t.n, b, i) * OUT;
      add_rows<OUT, 0, 1>(slab, rows, {dm4});
    }
  }
  combine<OUT>(t.dm5_parts, t.dm5, t.count, Size(1), t.parts,
      T(1));
  combine<OUT>(t.dm4_parts, t.dm4, t.count, Size(1), t.parts,
      T(1));
#pragma omp barrier
}

// dc3 /= n^1
INLINE void write_dc3(const Tensors& t, Size b, Size c, V v) {
  v *= T(1) / T(t.n);
  store(t.dc3 + b * Panels<IN>::row + c, v);
}

// dc4 /= n^1
INLINE void write_dc4(const Tensors& t, Size b, Size c, V v) {
  v *= T(1) / T(t.n);
  store(t.dc4 + b * Panels<IN>::row + c, v);
}

// dc0[i] += dc3[]
INLINE void write_dc0(const Tensors& t, Size b, Size i, Size c, V v) {
  v += load(t.dc3 + b * Panels<IN>::row + c);
  store(t.dc0 + at(t.n, b, i) * Panels<IN>::row + c, v);
}

// dc1[i] += dc4[]
// dc1 /= n^1
INLINE void write_dc1(const Tensors& t, Size b, Size i, Size c, V v) {
  v += load(t.dc4 + b * Panels<IN>::row + c);
  v *= T(1) / T(t.n);
  store(t.dc1 + at(t.n, b, i) * Panels<IN>::row + c, v);
}

// dc2 /= n^1
INLINE void write_dc2(const Tensors& t, Size b, Size i, Size c, V v) {
  v *= T(1) / T(t.n);
  store(t.dc2 + at(t.n, b, i) * Panels<IN>::row + c, v);
}

// dx[ii] += dc0[i]
// dx[ij] += dc1[i]
// dx[ij] += dc2[j]
INLINE void write_dx(const Tensors& t, Size b, Size i, Size j, Size c, V v) {
  if (i == j) v += load(t.dc0 + at(t.n, b, i) * Panels<IN>::row + c);
  v += load(t.dc1 + at(t.n, b, i) * Panels<IN>::row + c);
  v += load(t.dc2 + at(t.n, b, j) * Panels<IN>::row + c);
  store_row<IN>(t.dx + at(t.n, b, i, j) * IN, c, v);
}

// dx[ij] = W6^T dy[ij] + W8^T dy[ji]
constexpr int ROWS_dx[1][2] = {
    {6, 8},
};

using Mix_dx = Mixing<1 * OUT, IN, 1, 2>;

STAGE pack_dx(const T* weight, T* panels) {
  Mix_dx::pack(panels, [=](Size e, Size s, Size k, Size o) {
    const Size f = k / OUT, i = k % OUT;
    return weight[(ROWS_dx[e][s * 1 + f] * OUT + i) * IN + o];
  });
}

STAGE mix_dx(Tensors t, const T* panels) {
  using Mix = Mix_dx;
  T* const tile = t.tiles + omp_get_thread_num() * t.tile;
  for_orbits<false, 2, Mix::side>(t.count, t.n, [=](Size r, const Row& q) {
    const Size b = q.b, i = q.i[0], j = q.i[1];
    Mix::put<OUT>(tile, r, 0, t.dy + at(t.n, b, i, j) * OUT, t.dy + at(t.n, b, j, i) * OUT);
  }, [=](const Row* rows, Size count) {
    Mix::multiply(tile, rows, count, panels, [=](Size e, const Row& q, Size c, V v) {
      const Size b = q.b, i = q.i[0], j = q.i[1];
      write_dx(t, b, i, j, c, v);
    });
  });
}

// dc0[i] = W0^T dm1[i] + W5^T dm2[i] + W9^T dm3[i]
// dc1[i] = W1^T dm1[i] + W7^T dm2[i] + W10^T dm3[i]
// dc2[i] = W2^T dm1[i] + W11^T dm2[i] + W12^T dm3[i]
constexpr int ROWS_dc0[3][3] = {
    {0, 5, 9},
    {1, 7, 10},
    {2, 11, 12},
};

using Mix_dc0 = Mixing<3 * OUT, IN, 3, 1>;

STAGE pack_dc0(const T* weight, T* panels) {
  Mix_dc0::pack(panels, [=](Size e, Size s, Size k, Size o) {
    const Size f = k / OUT, i = k % OUT;
    return weight[(ROWS_dc0[e][f] * OUT + i) * IN + o];
  });
}

STAGE mix_dc0(Tensors t, const T* panels) {
  using Mix = Mix_dc0;
  T* const tile = t.tiles + omp_get_thread_num() * t.tile;
  for_positions<false, 1, Mix::most>(t.count, t.n, [=](Size r, const Row& q) {
    const Size b = q.b, i = q.i[0];
    Mix::put<OUT>(tile, r, 0, t.dm1 + at(t.n, b, i) * OUT);
    Mix::put<OUT>(tile, r, 1, t.dm2 + at(t.n, b, i) * OUT);
    Mix::put<OUT>(tile, r, 2, t.dm3 + at(t.n, b, i) * OUT);
  }, [=](const Row* rows, Size count) {
    Mix::multiply(tile, rows, count, panels, [=](Size e, const Row& q, Size c, V v) {
      const Size b = q.b, i = q.i[0];
      switch (e) {
        case 0:
          write_dc0(t, b, i, c, v);
          break;
        case 1:
          write_dc1(t, b, i, c, v);
          break;
        case 2:
          write_dc2(t, b, i, c, v);
          break;
      }
    });
  });
}

// dc3[] = W3^T dm4[] + W13^T dm5[]
// dc4[] = W4^T dm4[] + W14^T dm5[]
constexpr int ROWS_dc3[2][2] = {
    {3, 13},
    {4, 14},
};

using Mix_dc3 = Mixing<2 * OUT, IN, 2, 1>;

STAGE pack_dc3(const T* weight, T* panels) {
  Mix_dc3::pack(panels, [=](Size e, Size s, Size k, Size o) {
    const Size f = k / OUT, i = k % OUT;
    return weight[(ROWS_dc3[e][f] * OUT + i) * IN + o];
  });
}

STAGE mix_dc3(Tensors t, const T* panels) {
  using Mix = Mix_dc3;
  T* const tile = t.tiles + omp_get_thread_num() * t.tile;
  for_positions<false, 0, Mix::most>(t.count, t.n, [=](Size r, const Row& q) {
    const Size b = q.b;
    Mix::put<OUT>(tile, r, 0, t.dm4 + b * OUT);
    Mix::put<OUT>(tile, r, 1, t.dm5 + b * OUT);
  }, [=](const Row* rows, Size count) {
    Mix::multiply(tile, rows, count, panels, [=](Size e, const Row& q, Size c, V v) {
      const Size b = q.b;
      switch (e) {
        case 0:
          write_dc3(t, b, c, v);
          break;
        case 1:
          write_dc4(t, b, c, v);
          break;
      }
    });
  });
}

// The gradient of the rows of the weight in ROWS_y.
using Outer_y = Outer<1 * OUT, 1 * IN, 2>;

STAGE outer_y(Tensors t, T* sums) {
  using Sums = Outer_y;
  T* const left = t.tiles + omp_get_thread_num() * t.tile;
  T* const right = left + Sums::left;
  for_orbits<true, 2, Sums::side>(t.count, t.n, [=](Size r, const Row& q) {
    const Size b = q.b, i = q.i[0], j = q.i[1];
    Sums::put_left<OUT>(left, r, 0 * OUT,
                        t.dy + at(t.n, b, i, j) * OUT, t.dy + at(t.n, b, j, i) * OUT);
    const T once = T(1) / repeats<2>(q);
    Sums::put_right<IN>(right, r, 0 * IN,
                        once, t.x + at(t.n, b, i, j) * IN, t.x + at(t.n, b, j, i) * IN);
  }, [=](const Row*, Size count) { Sums::add_products(left, right, count, sums); });
}

STAGE total_y(const T* sums, T* dweight) {
  share<false>(1 * OUT, [=](Size m) {
    for (Size k = 0; k < 1 * IN; ++k) {
      const Size e = m / OUT, o = m % OUT, f = k / IN, i = k % IN;
      T d[Outer_y::count];
      Outer_y::total(sums, m, k, d);
      for (Size s = 0; s < Outer_y::count; ++s)
        dweight[(ROWS_y[e][s * 1 + f] * OUT + o) * IN + i] = d[s];
    }
  });
}

// The gradient of the rows of the weight in ROWS_m1.
using Outer_m1 = Outer<3 * OUT, 3 * IN, 1>;

STAGE outer_m1(Tensors t, T* sums) {
  using Sums = Outer_m1;
  T* const left = t.tiles + omp_get_thread_num() * t.tile;
  T* const right = left + Sums::left;
  for_positions<true, 1, Sums::most>(t.count, t.n, [=](Size r, const Row& q) {
    const Size b = q.b, i = q.i[0];
    Sums::put_left<OUT>(left, r, 0 * OUT, t.dm1 + at(t.n, b, i) * OUT);
    Sums::put_left<OUT>(left, r, 1 * OUT, t.dm2 + at(t.n, b, i) * OUT);
    Sums::put_left<OUT>(left, r, 2 * OUT, t.dm3 + at(t.n, b, i) * OUT);
    Sums::put_right<IN>(right, r, 0 * IN, 1, t.c0 + at(t.n, b, i) * IN);
    Sums::put_right<IN>(right, r, 1 * IN, 1, t.c1 + at(t.n, b, i) * IN);
    Sums::put_right<IN>(right, r, 2 * IN, 1, t.c2 + at(t.n, b, i) * IN);
  }, [=](const Row*, Size count) { Sums::add_products(left, right, count, sums); });
}

STAGE total_m1(const T* sums, T* dweight) {
  share<false>(3 * OUT, [=](Size m) {
    for (Size k = 0; k < 3 * IN; ++k) {
      const Size e = m / OUT, o = m % OUT, f = k / IN, i = k % IN;
      T d[Outer_m1::count];
      Outer_m1::total(sums, m, k, d);
      for (Size s = 0; s < Outer_m1::count; ++s)
        dweight[(ROWS_m1[e][f] * OUT + o) * IN + i] = d[s];
    }
  });
}

// The gradient of the rows of the weight in ROWS_m4.
using Outer_m4 = Outer<2 * OUT, 2 * IN, 1>;

STAGE outer_m4(Tensors t, T* sums) {
  using Sums = Outer_m4;
  T* const left = t.tiles + omp_get_thread_num() * t.tile;
  T* const right = left + Sums::left;
  for_positions<true, 0, Sums::most>(t.count, t.n, [=](Size r, const Row& q) {
    const Size b = q.b;
    Sums::put_left<OUT>(left, r, 0 * OUT, t.dm4 + b * OUT);
    Sums::put_left<OUT>(left, r, 1 * OUT, t.dm5 + b * OUT);
    Sums::put_right<IN>(right, r, 0 * IN, 1, t.c3 + b * IN);
    Sums::put_right<IN>(right, r, 1 * IN, 1, t.c4 + b * IN);
  }, [=](const Row*, Size count) { Sums::add_products(left, right, count, sums); });
}

STAGE total_m4(const T* sums, T* dweight) {
  share<false>(2 * OUT, [=](Size m) {
    for (Size k = 0; k < 2 * IN; ++k) {
      const Size e = m / OUT, o = m % OUT, f = k / IN, i = k % IN;
      T d[Outer_m4::count];
      Outer_m4::total(sums, m, k, d);
      for (Size s = 0; s < Outer_m4::count; ++s)
        dweight[(ROWS_m4[e][f] * OUT + o) * IN + i] = d[s];
    }
  });
}

}  // namespace

extern "C" int forward(const T* x, const T* weight, const T* bias, T* y,
    Size batch, Size n, int threads) {
  Workspace workspace;
  Tensors t = {};
  t.n = n;
  const Size chunk = chunk_of(batch, n * n * IN + n * n * OUT, threads);
  t.parts = parts_of(chunk, n, threads);
  t.tile = std::max<Size>({1, Mix_y::tile, Mix_m1::tile, Mix_m4::tile});
  workspace.add(&t.tiles, threads * t.tile);
  expect_writes(y, batch * n * n * OUT * Size(sizeof(T)));
  workspace.add(&t.c0, chunk * n * IN);
  workspace.add(&t.c1, chunk * n * IN);
  workspace.add(&t.c2, chunk * n * IN);
  workspace.add(&t.c2_parts, chunk * t.parts * n * IN);
  workspace.add(&t.c3, chunk * IN);
  workspace.add(&t.c3_parts, chunk * t.parts * IN);
  workspace.add(&t.c4, chunk * IN);
  workspace.add(&t.c4_parts, chunk * t.parts * IN);
  workspace.add(&t.m4, chunk * Panels<OUT>::row);
  workspace.add(&t.m5, chunk * Panels<OUT>::row);
  workspace.add(&t.m1, chunk * n * Panels<OUT>::row);
  workspace.add(&t.m2, chunk * n * Panels<OUT>::row);
  workspace.add(&t.m3, chunk * n * Panels<OUT>::row);
  T* panels_y;
  workspace.add(&panels_y, Mix_y::weights);
  T* panels_m1;
  workspace.add(&panels_m1, Mix_m1::weights);
  T* panels_m4;
  workspace.add(&panels_m4, Mix_m4::weights);
  workspace.add(&t.bias, 2 * Panels<OUT>::row);
  if (!workspace.allocate()) return 1;
#pragma omp parallel num_threads(threads) firstprivate(t)
  {
    pack_y(weight, panels_y);
    pack_m1(weight, panels_m1);
    pack_m4(weight, panels_m4);
    share<false>(2, [=](Size row) {
      zero(t.bias + row * Panels<OUT>::row, Panels<OUT>::row);
      if (bias) copy<OUT>(t.bias + row * Panels<OUT>::row, bias + row * OUT);
    });
#pragma omp barrier
    for (Size start = 0; start < batch; start += chunk) {
      t.count = std::min(chunk, batch - start);
      t.x = const_cast<T*>(x) + start * n * n * IN;
      t.y = const_cast<T*>(y) + start * n * n * OUT;
      reduce_x_2(t);
      reduce_x_1(t);
      mix_m4(t, panels_m4);
#pragma omp barrier
      mix_m1(t, panels_m1);
#pragma omp barrier
      mix_y(t, panels_y);
#pragma omp barrier
    }
  }
  return 0;
}

extern "C" int input_gradient(const T* weight, const T* dy, T* dx,
    Size batch, Size n, int threads) {
  Workspace workspace;
  Tensors t = {};
  t.n = n;
  const Size chunk = chunk_of(batch, n * n * OUT + n * n * IN, threads);
  t.parts = parts_of(chunk, n, threads);
  t.tile = std::max<Size>({1, Mix_dx::tile, Mix_dc0::tile, Mix_dc3::tile});
  workspace.add(&t.tiles, threads * t.tile);
  expect_writes(dx, batch * n * n * IN * Size(sizeof(T)));
  workspace.add(&t.dm3, chunk * n * OUT);
  workspace.add(&t.dm3_parts, chunk * t.parts * n * OUT);
  workspace.add(&t.dm2, chunk * n * OUT);
  workspace.add(&t.dm1, chunk * n * OUT);
  workspace.add(&t.dm5, chunk * OUT);
  workspace.add(&t.dm5_parts, chunk * t.parts * OUT);
  workspace.add(&t.dm4, chunk * OUT);
  workspace.add(&t.dm4_parts, chunk * t.parts * OUT);
  workspace.add(&t.dc3, chunk * Panels<IN>::row);
  workspace.add(&t.dc4, chunk * Panels<IN>::row);
  workspace.add(&t.dc0, chunk * n * Panels<IN>::row);
  workspace.add(&t.dc1, chunk * n * Panels<IN>::row);
  workspace.add(&t.dc2, chunk * n * Panels<IN>::row);
  T* panels_dx;
  workspace.add(&panels_dx, Mix_dx::weights);
  T* panels_dc0;
  workspace.add(&panels_dc0, Mix_dc0::weights);
  T* panels_dc3;
  workspace.add(&panels_dc3, Mix_dc3::weights);
  if (!workspace.allocate()) return 1;
#pragma omp parallel num_threads(threads) firstprivate(t)
  {
    pack_dx(weight, panels_dx);
    pack_dc0(weight, panels_dc0);
    pack_dc3(weight, panels_dc3);
#pragma omp barrier
    for (Size start = 0; start < batch; start += chunk) {
      t.count = std::min(chunk, batch - start);
      t.dy = const_cast<T*>(dy) + start * n * n * OUT;
      t.dx = const_cast<T*>(dx) + start * n * n * IN;
      reduce_dy_2(t);
      reduce_dy_1(t);
      mix_dc3(t, panels_dc3);
#pragma omp barrier
      mix_dc0(t, panels_dc0);
#pragma omp barrier
      mix_dx(t, panels_dx);
#pragma omp barrier
    }
  }
  return 0;
}

extern "C" int weight_gradient(const T* x, const T* dy, T* dweight, T* dbias,
    Size batch, Size n, int threads) {
  Workspace workspace;
  Tensors t = {};
  t.n = n;
  const Size chunk = chunk_of(batch, n * n * IN + n * n * OUT, threads);
  t.parts = parts_of(chunk, n, threads);
  t.tile = std::max<Size>({1, Outer_y::tile, Outer_m1::tile, Outer_m4::tile});
  workspace.add(&t.tiles, threads * t.tile);
  workspace.add(&t.c0, chunk * n * IN);
  workspace.add(&t.c1, chunk * n * IN);
  workspace.add(&t.c2, chunk * n * IN);
  workspace.add(&t.c2_parts, chunk * t.parts * n * IN);
  workspace.add(&t.c3, chunk * IN);
  workspace.add(&t.c3_parts, chunk * t.parts * IN);
  workspace.add(&t.c4, chunk * IN);
  workspace.add(&t.c4_parts, chunk * t.parts * IN);
  workspace.add(&t.dm3, chunk * n * OUT);
  workspace.add(&t.dm3_parts, chunk * t.parts * n * OUT);
  workspace.add(&t.dm2, chunk * n * OUT);
  workspace.add(&t.dm1, chunk * n * OUT);
  workspace.add(&t.dm5, chunk * OUT);
  workspace.add(&t.dm5_parts, chunk * t.parts * OUT);
  workspace.add(&t.dm4, chunk * OUT);
  workspace.add(&t.dm4_parts, chunk * t.parts * OUT);
  T* sums_y;
  workspace.add(&sums_y, threads * Outer_y::sums);
  T* sums_m1;
  workspace.add(&sums_m1, threads * Outer_m1::sums);
  T* sums_m4;
  workspace.add(&sums_m4, threads * Outer_m4::sums);
  if (!workspace.allocate()) return 1;
#pragma omp parallel num_threads(threads) firstprivate(t)
  {
    const Size thread = omp_get_thread_num();
    T* const mine_y = sums_y + thread * Outer_y::sums;
    zero(mine_y, Outer_y::sums);
    T* const mine_m1 = sums_m1 + thread * Outer_m1::sums;
    zero(mine_m1, Outer_m1::sums);
    T* const mine_m4 = sums_m4 + thread * Outer_m4::sums;
    zero(mine_m4, Outer_m4::sums);
#pragma omp single nowait
    zero(dbias + 0 * OUT, OUT);
#pragma omp single nowait
    zero(dbias + 1 * OUT, OUT);
#pragma omp barrier
    for (Size start = 0; start < batch; start += chunk) {
      t.count = std::min(chunk, batch - start);
      t.x = const_cast<T*>(x) + start * n * n * IN;
      t.dy = const_cast<T*>(dy) + start * n * n * OUT;
      reduce_x_2(t);
      reduce_x_1(t);
      reduce_dy_2(t);
      reduce_dy_1(t);
      outer_y(t, mine_y);
      outer_m1(t, mine_m1);
      outer_m4(t, mine_m4);
#pragma omp single nowait
      add_rows<OUT, 0, 1>(t.dm4, t.count, {dbias + 0 * OUT});
#pragma omp single nowait
      add_rows<OUT, 0, 1>(t.dm5, t.count, {dbias + 1 * OUT});
#pragma omp barrier
    }
    total_y(sums_y, dweight);
    total_m1(sums_m1, dweight);
    total_m4(sums_m4, dweight);
  }
  return 0;
}

extern "C" int gradients(const T* x, const T* weight, const T* dy, T* dx, T* dweight, T* dbias,
    Size batch, Size n, int threads) {
  Workspace workspace;
  Tensors t = {};
  t.n = n;
  const Size chunk = chunk_of(batch, n * n * IN + n * n * OUT, threads);
  t.parts = parts_of(chunk, n, threads);
  t.tile = std::max<Size>({1, Mix_dx::tile, Mix_dc0::tile, Mix_dc3::tile, Outer_y::tile,
  Outer_m1::tile, Outer_m4::tile});
  workspace.add(&t.tiles, threads * t.tile);
  workspace.add(&t.c0, chunk * n * IN);
  workspace.add(&t.c1, chunk * n * IN);
  workspace.add(&t.c2, chunk * n * IN);
  workspace.add(&t.c2_parts, chunk * t.parts * n * IN);
  workspace.add(&t.c3, chunk * IN);
  workspace.add(&t.c3_parts, chunk * t.parts * IN);
  workspace.add(&t.c4, chunk * IN);
  workspace.add(&t.c4_parts, chunk * t.parts * IN);
  expect_writes(dx, batch * n * n * IN * Size(sizeof(T)));
  workspace.add(&t.dm3, chunk * n * OUT);
  workspace.add(&t.dm3_parts, chunk * t.parts * n * OUT);
  workspace.add(&t.dm2, chunk * n * OUT);
  workspace.add(&t.dm1, chunk * n * OUT);
  workspace.add(&t.dm5, chunk * OUT);
  workspace.add(&t.dm5_parts, chunk * t.parts * OUT);
  workspace.add(&t.dm4, chunk * OUT);
  workspace.add(&t.dm4_parts, chunk * t.parts * OUT);
  workspace.add(&t.dc3, chunk * Panels<IN>::row);
  workspace.add(&t.dc4, chunk * Panels<IN>::row);
  workspace.add(&t.dc0, chunk * n * Panels<IN>::row);
  workspace.add(&t.dc1, chunk * n * Panels<IN>::row);
  workspace.add(&t.dc2, chunk * n * Panels<IN>::row);
  T* panels_dx;
  workspace.add(&panels_dx, Mix_dx::weights);
  T* panels_dc0;
  workspace.add(&panels_dc0, Mix_dc0::weights);
  T* panels_dc3;
  workspace.add(&panels_dc3, Mix_dc3::weights);
  T* sums_y;
  workspace.add(&sums_y, threads * Outer_y::sums);
  T* sums_m1;
  workspace.add(&sums_m1, threads * Outer_m1::sums);
  T* sums_m4;
  workspace.add(&sums_m4, threads * Outer_m4::sums);
  if (!workspace.allocate()) return 1;
#pragma omp parallel num_threads(threads) firstprivate(t)
  {
    pack_dx(weight, panels_dx);
    pack_dc0(weight, panels_dc0);
    pack_dc3(weight, panels_dc3);
    const Size thread = omp_get_thread_num();
    T* const mine_y = sums_y + thread * Outer_y::sums;
    zero(mine_y, Outer_y::sums);
    T* const mine_m1 = sums_m1 + thread * Outer_m1::sums;
    zero(mine_m1, Outer_m1::sums);
    T* const mine_m4 = sums_m4 + thread * Outer_m4::sums;
    zero(mine_m4, Outer_m4::sums);
#pragma omp single nowait
    zero(dbias + 0 * OUT, OUT);
#pragma omp single nowait
    zero(dbias + 1 * OUT, OUT);
#pragma omp barrier
    for (Size start = 0; start < batch; start += chunk) {
      t.count = std::min(chunk, batch - start);
      t.x = const_cast<T*>(x) + start * n * n * IN;
      t.dx = const_cast<T*>(dx) + start * n * n * IN;
      t.dy = const_cast<T*>(dy) + start * n * n * OUT;
      reduce_x_2(t);
      reduce_x_1(t);
      reduce_dy_2(t);
      reduce_dy_1(t);
      mix_dc3(t, panels_dc3);
#pragma omp barrier
      mix_dc0(t, panels_dc0);
#pragma omp barrier
      mix_dx(t, panels_dx);
#pragma omp barrier
      outer_y(t, mine_y);
      outer_m1(t, mine_m1);
      outer_m4(t, mine_m4);
#pragma omp single nowait
      add_rows<OUT, 0, 1>(t.dm4, t.count, {dbias + 0 * OUT});
#pragma omp single nowait
      add_rows<OUT, 0, 1>(t.dm5, t.count, {dbias + 1 * OUT});
#pragma omp barrier
    }
    total_y(sums_y, dweight);
    total_m1(sums_m1, dweight);
    total_m4(sums_m4, dweight);
  }
  return 0;
}
