// Lines on a canvas, and the numbers beside them.

// niceTicks are about count round numbers in a range.
function niceTicks(from, to, count, steps = [1, 2, 2.5, 5, 10]) {
  const rough = (to - from) / Math.max(count, 1);
  if (!(rough > 0)) return [from];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * steps.find(s => s * power >= rough * 0.8);
  const ticks = [];
  for (let i = Math.ceil(from / step - 1e-9); i * step <= to + step * 1e-9; i++) ticks.push(+(i * step).toPrecision(12));
  return ticks;
}

// timeTicks are round in minutes and hours.
function timeTicks(from, to, count) {
  const rough = (to - from) / Math.max(count, 1);
  const step = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 21600, 43200, 86400].find(s => s >= rough);
  if (!step) return niceTicks(from / 86400, to / 86400, count).map(d => d * 86400);
  const ticks = [];
  for (let i = Math.ceil(from / step); i * step <= to; i++) ticks.push(i * step);
  return ticks;
}

// logTicks are powers of ten, with 2 and 5 between when there are few, on a scale that is log10 already.
function logTicks(from, to, count) {
  const decades = Math.max(1, Math.ceil((to - from) / count));
  const ticks = [];
  for (let d = Math.floor(from); d <= to; d++) {
    for (const m of to - from < 2 ? [1, 2, 5] : [1]) {
      const y = d + Math.log10(m);
      if (d % decades === 0 && y >= from - 1e-9 && y <= to + 1e-9) ticks.push(y);
    }
  }
  return ticks.length > 1 ? ticks : [from, to];
}

// axisText is a tick at the bottom.
function axisText(axis, v, span) {
  if (axis !== 'time') {
    if (v >= 1e6) return `${+(v / 1e6).toFixed(2)}M`;
    return v >= 1e4 ? `${+(v / 1e3).toFixed(1)}k` : String(+v.toPrecision(6));
  }
  if (span > 2 * 86400) return `${+(v / 86400).toFixed(1)}d`;
  const s = Math.round(v), two = n => String(n).padStart(2, '0');
  if (span > 2 * 3600 || s >= 36000) return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}h`;
  if (span > 120) return `${Math.floor(s / 60)}m` + (s % 60 ? two(s % 60) : '');
  return `${s}s`;
}

const whereText = (axis, v) => axis === 'kimg' ? kimg(v) : axis === 'step' ? `step ${Math.round(v)}` : duration(v);

// trace draws values first..last as a line with gaps. More of them than pixels become the least and the most of each
// pixel's column, so that a peak is never lost and a line has at most four points a pixel.
function trace(g, column, v, first, last, X, Y, width) {
  const {at, gap} = column;
  const dense = last - first > 2 * width;
  let up = true, pixel = NaN, low = 0, high = 0, end = 0, px = 0;
  const flush = () => {
    if (Number.isNaN(pixel)) return;
    g.lineTo(px, low);
    g.lineTo(px, high);
    g.lineTo(px, end);
    pixel = NaN;
  };
  g.beginPath();
  for (let k = first; k <= last; k++) {
    const y = Y(v[k]);
    if (k > first && at[k] - at[k - 1] > gap || !Number.isFinite(y)) {
      flush();
      up = true;
    }
    if (!Number.isFinite(y)) continue;
    const x = X(at[k]);
    if (up) {
      g.moveTo(x, y);
      up = false;
      // A value between two gaps is a point: without a length, a round cap shows it.
      g.lineTo(x, y);
    }
    if (!dense) {
      g.lineTo(x, y);
      continue;
    }
    if (Math.floor(x) !== pixel) {
      flush();
      pixel = Math.floor(x);
      px = x;
      low = high = y;
      g.lineTo(x, y);
    }
    low = Math.min(low, y);
    high = Math.max(high, y);
    end = y;
  }
  flush();
  g.stroke();
}

// marks draws the shape of a line on its values, those that are at least so many pixels apart.
function marks(g, column, v, first, last, X, Y, shape, apart) {
  let before = first ? -Infinity : margin.left + shape * 9 - apart; // not all lines at one place
  const path = new Path2D(shapes[shape] || undefined);
  if (!shape) path.arc(0, 0, 2.6, 0, 7);
  for (let k = first; k <= last; k++) {
    const x = X(column.at[k]), y = Y(v[k]);
    if (!Number.isFinite(y) || x - before < apart) continue;
    before = x;
    g.save();
    g.translate(x, y);
    g.fill(path);
    g.restore();
  }
}

// crosses mark where a value was no number, at the bottom of the plot.
function crosses(g, column, first, last, X, bottom) {
  let drawn = -9;
  g.beginPath();
  for (let k = first; k <= last; k++) {
    const x = X(column.at[k]);
    if (Number.isFinite(column.v[k]) || x - drawn < 6) continue;
    drawn = x;
    g.moveTo(x - 3, bottom - 7);
    g.lineTo(x + 3, bottom - 1);
    g.moveTo(x + 3, bottom - 7);
    g.lineTo(x - 3, bottom - 1);
  }
  g.stroke();
}

// fitCanvas gives a canvas as many pixels as the screen has there.
function fitCanvas(canvas, w, h) {
  const ratio = Math.max(1, window.devicePixelRatio || 1, printing ? 3 : 1);
  const pw = Math.round(w * ratio), ph = Math.round(h * ratio);
  if (canvas.width !== pw || canvas.height !== ph) {
    canvas.width = pw;
    canvas.height = ph;
  }
  const g = canvas.getContext('2d');
  g.setTransform(ratio, 0, 0, ratio, 0, 0);
  g.clearRect(0, 0, w, h);
  return g;
}

let printing = false;
