// The runs, as the charts need them.

// decode turns the JSON into typed arrays. A column has the indices of its entries in at, which rise, and NaN for null.
function decode(doc) {
  const number = v => v === null ? NaN : v;
  return doc.runs.map((d, index) => {
    const x = {};
    for (const axis of ['kimg', 'step', 'time']) x[axis] = Float64Array.from(d.x[axis], number);
    const n = x.step.length;
    const columns = new Map();
    for (const [name, c] of Object.entries(d.values || {})) {
      const at = c.at ? Int32Array.from(c.at) : Int32Array.from({length: n}, (_, i) => i);
      const often = at.length >= 12 && at.length * 3 > n;
      columns.set(name, {at, v: Float64Array.from(c.v, number), gap: gapOf(at), often, smooth: null, weight: 0});
    }
    return {...d, index, tone: tone(index), x, n, columns, stacks: new Map()};
  });
}

// gapOf is how many entries may lie between two values with a line between them: those of samples are far apart by
// nature, while a value of each tick that was absent for some is not known there.
function gapOf(at) {
  if (at.length < 3) return Infinity;
  const d = [];
  for (let k = 1; k < at.length; k++) d.push(at[k] - at[k - 1]);
  d.sort((a, b) => a - b);
  return 4 * d[d.length >> 1];
}

// smoothed is the exponential moving average, corrected for its start. NaN is passed over and stays a gap.
// Values that are few, those of the samples, would only lag behind.
function smoothed(column, weight) {
  if (!weight || !column.often) return column.v;
  if (column.weight !== weight) {
    const out = new Float64Array(column.v.length);
    let sum = 0, mass = 0;
    for (let k = 0; k < out.length; k++) {
      const v = column.v[k];
      if (Number.isFinite(v)) {
        sum = weight * sum + (1 - weight) * v;
        mass = weight * mass + (1 - weight);
        out[k] = sum / mass;
      } else out[k] = NaN;
    }
    column.smooth = out;
    column.weight = weight;
  }
  return column.smooth;
}

// lower is the first index of a sorted list at which get(index) is x or more.
function lower(n, get, x) {
  let a = 0, b = n;
  while (a < b) {
    const m = (a + b) >> 1;
    if (get(m) < x) a = m + 1; else b = m;
  }
  return a;
}

// nearest is the index of the value that is nearest to x, -1 when there is none.
function nearest(n, get, x) {
  if (!n) return -1;
  const k = lower(n, get, x);
  if (k === n) return n - 1;
  return k > 0 && x - get(k - 1) < get(k) - x ? k - 1 : k;
}

// stackOf lines the columns of a run up, for areas on each other: rows of the entries that have any of them.
function stackOf(run, names) {
  const key = names.join(' ');
  let s = run.stacks.get(key);
  if (s) return s;
  const any = new Set();
  for (const name of names) for (const i of run.columns.get(name)?.at || []) any.add(i);
  const at = Int32Array.from([...any].sort((a, b) => a - b));
  const row = new Map(Array.from(at, (i, k) => [i, k]));
  const values = names.map(name => {
    const v = new Float64Array(at.length);
    const c = run.columns.get(name);
    if (c) c.at.forEach((i, k) => { v[row.get(i)] = Math.max(0, c.v[k]) || 0; });
    return v;
  });
  s = {at, values};
  run.stacks.set(key, s);
  return s;
}

// valueNear is the value of a column at the entry nearest to a kimg: what the log says of a picture.
function valueNear(run, name, at) {
  const c = run.columns.get(name);
  if (!c) return undefined;
  const k = nearest(c.at.length, i => run.x.kimg[c.at[i]], at);
  return k < 0 ? undefined : c.v[k];
}
