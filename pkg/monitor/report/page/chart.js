// A chart: a canvas with lines or stacked areas, one over it for what moves with the pointer, and a legend with values.

const dashes = [[], [7, 4], [2, 3.5], [10, 3, 2, 3], [4, 2]];
const margin = {left: 50, right: 12, top: 8, bottom: 22};

class Chart {
  constructor(spec, charts) {
    this.spec = spec;
    this.charts = charts;
    this.plot = el('div', {class: 'plot', tabindex: '0', role: 'img'});
    this.canvas = el('canvas', {'aria-hidden': 'true'});
    this.over = el('canvas', {'aria-hidden': 'true'});
    this.plot.append(this.canvas, this.over);
    this.legend = el('table', {class: 'legend'});
    this.legends = el('div', {class: 'legends'}, spec.note && el('p', {class: 'muted note'}, spec.note), this.legend);
    const kind = `card chart${spec.wide ? ' wide' : ''}${spec.stack ? ' stack' : ''}`;
    this.card = el('figure', {class: kind, id: `chart-${spec.id}`},
      el('figcaption', {}, el('div', {class: 'panel'}, spec.panel), el('h3', {}, spec.title)), this.plot, this.legends);
    listen(this);
  }

  // setRuns takes new data, and makes the legend anew. Runs that are switched off are in none.
  setRuns(runs) {
    const {spec, charts} = this, single = runs.length === 1, bases = [];
    this.runs = runs.filter(r => single || !charts.hidden.has(r.id)).filter(
      r => spec.run === undefined ? spec.names.some(n => r.columns.has(n)) : r.index === spec.run);
    this.card.hidden = spec.stack && !this.runs.length;
    this.lines = [];
    spec.names.forEach((name, i) => {
      const reference = name.startsWith('data_');
      const base = name.replace(/^(data|sample)_/, 'pictures ');
      if (!bases.includes(base)) bases.push(base);
      for (const run of this.runs) {
        const column = run.columns.get(name);
        if (!column) continue;
        // One run: a colour and a shape for each value, and dashes for real pictures. Several: a colour for each run, a shape
        // where the colours come again.
        const b = bases.indexOf(base);
        this.lines.push({
          name, run, column, tone: single ? valueTone(b) : run.tone,
          dash: reference ? dashes[1] : single ? dashes[0] : dashes[i % dashes.length],
          shape: (single ? b : Math.floor(run.index / tones)) % shapes.length,
        });
      }
    });
    this.buildLegend(single);
  }

  buildLegend(single) {
    const {spec, charts} = this;
    const focus = this.legend.contains(document.activeElement) ? document.activeElement.dataset.key : null;
    this.cells = [];
    const row = (key, stroke, dash, title, name, lines, shape) => {
      const label = el('span', {}, title, title && name && ' ', name && el('code', {}, name));
      const b = pressed(label, !charts.hidden.has(key), on => {
        if (on) charts.hidden.delete(key); else charts.hidden.add(key);
        charts.redraw();
      }, {'data-key': key});
      b.prepend(swatch(stroke, dash, spec.stack, shape));
      const cells = lines.map(line => {
        const td = el('td');
        if (line) this.cells.push({td, line, column: line.index});
        return td;
      });
      return el('tr', {}, el('th', {scope: 'row'}, b), cells);
    };
    const rows = [];
    if (spec.stack) {
      // From the top of the stack to its bottom.
      spec.names.map((name, i) => ({name, i})).reverse().forEach(({name, i}) => {
        if (this.runs[0]?.columns.has(name)) {
          rows.push(row(this.key(name), tone(i), [], charts.quantity(name).short || name, name, [{name, index: i}]));
        }
      });
    } else if (spec.names.length === 1 && !single) {
      for (const line of this.lines) {
        rows.push(this.lit(row(this.key(line.run.id), line.tone, line.dash, line.run.name, '', [line], line.shape), line.run));
      }
    } else {
      const names = spec.names.filter(name => this.lines.some(l => l.name === name));
      // Many runs have a row each, below those of the values: as columns they would be wider than the card.
      const many = this.runs.length > 4;
      if (!many && !single && this.runs.length > 1) {
        rows.push(el('thead', {}, el('tr', {}, el('td'), this.runs.map(r => el('td', {title: r.name},
          dot(r, {role: 'img', 'aria-label': r.name}))))));
      }
      for (const name of names) {
        const lines = this.runs.map(run => this.lines.find(l => l.name === name && l.run === run));
        const first = lines.find(Boolean);
        const {title} = charts.quantity(name), said = spec.names.length === 1 || title === name;
        rows.push(row(this.key(name), single ? first.tone : 'var(--text)', first.dash, said ? '' : title, name,
          many ? [] : lines, single ? first.shape : 0));
        if (many) rows.at(-1).firstChild.colSpan = names.length + 1;
      }
      if (many) {
        rows.push(el('tr', {class: 'heads'}, el('td'), names.map(name => el('td', {title: name},
          swatch('var(--muted)', this.lines.find(l => l.name === name).dash)))));
        for (const run of this.runs) {
          const lines = names.map(name => this.lines.find(l => l.name === name && l.run === run));
          const {shape} = lines.find(Boolean);
          rows.push(this.lit(row(this.key(run.id), run.tone, [], run.name, '', lines, shape), run));
        }
      }
    }
    this.legend.replaceChildren(...rows);
    this.legends.classList.toggle('deep', this.runs.length > 4);
    if (focus) [...this.legend.querySelectorAll('button')].find(b => b.dataset.key === focus)?.focus();
  }

  // lit makes a row put its run before the others while the pointer or the focus is on it.
  lit(row, run) {
    row.title = run.name;
    if (this.runs.length > 4) row.className = 'of';
    return this.charts.lit(row, run);
  }

  key(what) { return `${this.spec.id}|${what}`; }

  shown(line) {
    const {hidden} = this.charts;
    return !hidden.has(this.key(line.name)) && !hidden.has(this.key(line.run.id)) && !hidden.has(line.run.id);
  }

  // X and Y map data to pixels, for the range that was drawn last.
  X(x) { return margin.left + (x - this.x0) / (this.x1 - this.x0) * (this.width - margin.left - margin.right); }
  Y(y) { return this.height - margin.bottom - (y - this.y0) / (this.y1 - this.y0) * (this.height - margin.bottom - margin.top); }
  atPixel(px) {
    return this.x0 + (px - margin.left) / (this.width - margin.left - margin.right) * (this.x1 - this.x0);
  }

  draw() {
    const w = this.plot.clientWidth, h = this.plot.clientHeight;
    if (!w || !this.runs) return;
    this.width = w;
    this.height = h;
    [this.x0, this.x1] = this.charts.range();
    const g = fitCanvas(this.canvas, w, h);
    g.lineJoin = g.lineCap = 'round';
    const visible = this.spec.stack ? this.stackRange() : this.lineRange();
    this.scales(g);
    g.save();
    g.beginPath();
    g.rect(margin.left, 0, w - margin.left - margin.right, h - margin.bottom + 1);
    g.clip();
    if (this.spec.stack) this.areas(g, visible); else this.linesOn(g, visible);
    g.restore();
    if (!visible.length) {
      g.fillStyle = colour('var(--muted)');
      g.textAlign = 'center';
      g.fillText('nothing to show here', w / 2, h / 2);
    }
    this.label();
    this.drawOver();
  }

  // lineRange finds the entries in the range of x, and the range of y that holds them.
  lineRange() {
    const {charts, spec} = this;
    this.log = charts.log && spec.log;
    const visible = [];
    let low = Infinity, high = -Infinity;
    const look = log => {
      for (const {v, first, last} of visible) {
        for (let k = first; k <= last; k++) {
          const y = v[k];
          if (!Number.isFinite(y) || log && y <= 0) continue;
          if (y < low) low = y;
          if (y > high) high = y;
        }
      }
    };
    for (const line of this.lines) {
      if (!this.shown(line)) continue;
      const xs = line.run.x[charts.axis], {at} = line.column;
      // One more on each side, so that lines go on to the border.
      const first = Math.max(0, lower(at.length, k => xs[at[k]], this.x0) - 1);
      const last = Math.min(at.length - 1, lower(at.length, k => xs[at[k]], this.x1 + Number.EPSILON * this.x1));
      if (last >= first) visible.push({line, first, last, v: line.column.v});
    }
    look(this.log);
    if (this.log && high === -Infinity) {
      this.log = false;
      look(false);
    }
    if (high === -Infinity) low = high = 0;
    if (this.log) {
      this.y0 = Math.log10(low);
      this.y1 = Math.log10(high);
      const pad = Math.max((this.y1 - this.y0) * 0.05, 0.04);
      this.y0 -= pad;
      this.y1 += pad;
    } else if (spec.unit && low >= 0 && high <= 1) {
      this.y0 = 0;
      this.y1 = 1;
    } else {
      if (low > 0 && low < high * 0.4) low = 0; // near enough to show it against nothing
      const pad = high > low ? (high - low) * 0.06 : Math.abs(high) * 0.1 || 1;
      this.y0 = low === 0 ? 0 : low - pad;
      this.y1 = high + pad;
    }
    return visible;
  }

  stackRange() {
    const run = this.runs[0], s = stackOf(run, this.spec.names), xs = run.x[this.charts.axis];
    const on = this.spec.names.map((name, i) => i).filter(i => this.shown({name: this.spec.names[i], run}));
    const first = Math.max(0, lower(s.at.length, k => xs[s.at[k]], this.x0) - 1);
    const last = Math.min(s.at.length - 1, lower(s.at.length, k => xs[s.at[k]], this.x1));
    this.log = false;
    let high = 0;
    for (let k = first; k <= last; k++) {
      let sum = 0;
      for (const i of on) sum += s.values[i][k];
      high = Math.max(high, sum);
    }
    this.y0 = 0;
    this.y1 = high * 1.05 || 1;
    this.stack = {...s, xs, on, first, last};
    return last >= first && on.length && !this.charts.hidden.has(run.id) ? [this.stack] : [];
  }

  // scales draws the lines of the grid and their numbers.
  scales(g) {
    const {width: w, height: h} = this, {axis} = this.charts, span = this.x1 - this.x0;
    g.font = `11.5px ${getComputedStyle(this.plot).fontFamily}`;
    g.lineWidth = 1;
    g.strokeStyle = colour('var(--line)');
    g.fillStyle = colour('var(--muted)');
    const rows = (h - margin.top - margin.bottom) / 38;
    const ys = this.log ? logTicks(this.y0, this.y1, rows) : niceTicks(this.y0, this.y1, rows);
    g.textAlign = 'right';
    g.textBaseline = 'middle';
    g.beginPath();
    for (const y of ys) {
      const py = Math.round(this.Y(y)) + 0.5;
      g.moveTo(margin.left, py);
      g.lineTo(w - margin.right, py);
      g.fillText(text(this.log ? 10 ** y : y), margin.left - 7, py);
    }
    g.stroke();
    const columns = (w - margin.left - margin.right) / 64;
    const xs = axis === 'time' ? timeTicks(this.x0, this.x1, columns) : niceTicks(this.x0, this.x1, columns, [1, 2, 5, 10]);
    g.textBaseline = 'top';
    g.textAlign = 'center';
    let room = w;
    [...xs].reverse().forEach((x, i) => { // the last first: it has the unit
      const unit = i || axis === 'time' ? '' : axis === 'kimg' && w > 700 ? ' kimg (thousand pictures)' : ` ${axis}`;
      const label = axisText(axis, x, span) + unit, half = g.measureText(label).width / 2;
      const px = i ? this.X(x) : Math.min(this.X(x), w - half - 1);
      if (px + half > room) return;
      g.fillText(label, px, h - margin.bottom + 7);
      room = px - half - 6;
    });
    g.strokeStyle = colour('var(--strong)');
    g.beginPath();
    g.moveTo(margin.left, h - margin.bottom + 0.5);
    g.lineTo(w - margin.right, h - margin.bottom + 0.5);
    g.stroke();
  }

  linesOn(g, visible) {
    const {charts} = this, wide = this.width - margin.left - margin.right;
    const Y = this.log ? y => y > 0 ? this.Y(Math.log10(y)) : NaN : y => this.Y(y);
    const front = visible.some(v => v.line.run.id === charts.front) && charts.front;
    if (front) visible = [...visible].sort((a, b) => (a.line.run.id === front) - (b.line.run.id === front));
    for (const {line, first, last} of visible) {
      const {column, run} = line, faint = front && run.id !== front ? 0.16 : 1, xs = run.x[charts.axis], X = i => this.X(xs[i]);
      const smooth = smoothed(column, charts.smooth);
      const dots = last - first < wide / 22;
      g.strokeStyle = g.fillStyle = colour(line.tone);
      if (smooth !== column.v) { // the line as it is, faint
        g.globalAlpha = 0.25 * faint;
        g.lineWidth = 1;
        g.setLineDash([]);
        trace(g, column, column.v, first, last, X, Y, wide);
      }
      g.globalAlpha = faint;
      g.lineWidth = 1.7;
      g.setLineDash(line.dash);
      trace(g, column, smooth, first, last, X, Y, wide);
      g.setLineDash([]);
      if (dots || line.shape) marks(g, column, smooth, first, last, X, Y, line.shape, dots ? 0 : 74);
      g.globalAlpha = 1;
      g.strokeStyle = colour('var(--problem)');
      g.lineWidth = 1.5;
      crosses(g, column, first, last, X, this.height - margin.bottom);
    }
  }

  areas(g, visible) {
    if (!visible.length) return;
    const {at, values, xs, on, first, last} = this.stack;
    // Means of so many entries that there are no more steps than pixels.
    const each = Math.max(1, Math.ceil((last - first + 1) / (this.width - margin.left - margin.right)));
    const points = [];
    for (let k = first; k <= last; k += each) points.push(k);
    const mean = (v, k) => {
      const end = Math.min(k + each, last + 1);
      let sum = 0;
      for (let j = k; j < end; j++) sum += v[j];
      return sum / (end - k);
    };
    let below = points.map(() => 0);
    for (const i of on) {
      const above = points.map((k, p) => below[p] + mean(values[i], k));
      g.beginPath();
      points.forEach((k, p) => g.lineTo(this.X(xs[at[k]]), this.Y(above[p])));
      for (let p = points.length - 1; p >= 0; p--) g.lineTo(this.X(xs[at[points[p]]]), this.Y(below[p]));
      g.closePath();
      g.fillStyle = colour(tone(i));
      g.globalAlpha = 0.85;
      g.fill();
      g.globalAlpha = 1;
      g.strokeStyle = colour('var(--card)');
      g.lineWidth = 0.4;
      g.stroke();
      below = above;
    }
  }

  // drawOver draws what moves: the crosshair, the values under it, the picture's place and a range being chosen.
  drawOver() {
    if (!this.width) return;
    const {charts} = this, {hover, drag} = charts, h = this.height, bottom = h - margin.bottom;
    const g = fitCanvas(this.over, this.width, h);
    const inside = x => x >= this.x0 && x <= this.x1;
    const bar = (x, stroke, dash) => {
      g.strokeStyle = colour(stroke);
      g.lineWidth = 1;
      g.setLineDash(dash);
      g.beginPath();
      g.moveTo(Math.round(this.X(x)) + 0.5, margin.top);
      g.lineTo(Math.round(this.X(x)) + 0.5, bottom);
      g.stroke();
      g.setLineDash([]);
    };
    const mark = charts.markX();
    if (mark !== null && inside(mark)) {
      bar(mark, 'var(--strong)', [2, 3]);
      g.fillStyle = colour('var(--muted)');
      g.beginPath();
      g.moveTo(this.X(mark) - 4, margin.top - 6);
      g.lineTo(this.X(mark) + 4, margin.top - 6);
      g.lineTo(this.X(mark), margin.top);
      g.fill();
    }
    if (drag && drag.chart.plot.isConnected) {
      const a = this.X(Math.max(this.x0, Math.min(drag.from, drag.to)));
      const b = this.X(Math.min(this.x1, Math.max(drag.from, drag.to)));
      g.globalAlpha = 0.16;
      g.fillStyle = colour('var(--accent)');
      g.fillRect(a, margin.top, b - a, bottom - margin.top);
      g.globalAlpha = 1;
    }
    if (hover && inside(hover.x)) {
      bar(hover.x, 'var(--muted)', []);
      if (hover.chart === this) this.pill(g, whereText(charts.axis, hover.x));
    }
    this.values(hover, (line, x, y) => {
      y = this.log ? y > 0 ? Math.log10(y) : NaN : y;
      if (!Number.isFinite(y) || !inside(x)) return;
      g.beginPath();
      g.arc(this.X(x), this.Y(y), 3.6, 0, 7);
      g.fillStyle = colour(line.tone);
      g.fill();
      g.strokeStyle = colour('var(--card)');
      g.lineWidth = 1.5;
      g.stroke();
    });
  }

  // pill is the place of the crosshair, over the numbers at the bottom.
  pill(g, label) {
    g.font = `11.5px ${getComputedStyle(this.plot).fontFamily}`;
    const w = g.measureText(label).width + 14;
    const x = Math.max(0, Math.min(this.width - w, this.X(this.charts.hover.x) - w / 2));
    g.fillStyle = colour('var(--text)');
    g.beginPath();
    g.roundRect(x, this.height - margin.bottom + 3, w, 18, 5);
    g.fill();
    g.fillStyle = colour('var(--card)');
    g.textAlign = 'center';
    g.textBaseline = 'middle';
    g.fillText(label, x + w / 2, this.height - margin.bottom + 12.5);
  }

  // values fills the legend: what is under the crosshair, or the last of each value.
  values(hover, point) {
    for (const {td, line, column} of this.cells) {
      let value = '';
      if (this.spec.stack) value = this.share(column, hover);
      else {
        const {at, v} = line.column, xs = line.run.x[this.charts.axis];
        let k = v.length - 1;
        if (hover) k = nearest(at.length, i => xs[at[i]], hover.x);
        else while (k > 0 && !Number.isFinite(v[k])) k--;
        if (k >= 0) {
          value = this.spec.unit && Number.isFinite(v[k]) ? v[k].toFixed(3) : text(v[k]);
          if (hover && this.shown(line)) point(line, xs[at[k]], v[k]);
        }
      }
      if (td.textContent !== value) td.textContent = value;
    }
  }

  // share is the part of a phase in all that is in sight, or its seconds under the crosshair.
  share(i, hover) {
    const {at, values, xs, first, last} = this.stack || {};
    if (!at || !at.length) return '';
    if (hover) {
      const sec = values[i][nearest(at.length, k => xs[at[k]], hover.x)];
      return sec < 1 ? `${text(sec * 1000)} ms` : `${text(sec)} s`;
    }
    let own = 0, all = 0;
    for (let k = first; k <= last; k++) {
      for (let j = 0; j < values.length; j++) {
        all += values[j][k];
        if (j === i) own += values[j][k];
      }
    }
    return all > 0 ? `${+(100 * own / all).toFixed(own / all < 0.1 ? 1 : 0)} %` : '';
  }

  // label says to those who do not see the chart where each line begins and ends.
  label() {
    const course = l => {
      const v = l.column.v.filter(Number.isFinite);
      const who = this.charts.runs.length > 1 ? `${l.run.name}, ${l.name}` : l.name;
      return v.length ? `${who} from ${text(v[0])} to ${text(v[v.length - 1])}` : `${who}: no number`;
    };
    const parts = this.spec.stack ? this.cells.map(c => `${c.line.name} ${this.share(c.column, null)}`) :
      this.lines.filter(l => this.shown(l)).map(course);
    this.plot.setAttribute('aria-label', `${this.spec.panel}, ${this.spec.title}: ${parts.join('; ')}`);
  }
}

// swatch shows a line as it is drawn.
function swatch(stroke, dash, area, shape) {
  const ns = 'http://www.w3.org/2000/svg';
  const svg = document.createElementNS(ns, 'svg');
  const line = document.createElementNS(ns, 'line');
  for (const [k, v] of Object.entries({width: 26, height: 10, 'aria-hidden': 'true'})) svg.setAttribute(k, v);
  for (const [k, v] of Object.entries({x1: area ? 6 : 1, x2: area ? 16 : 25, y1: 5, y2: 5, 'stroke-width': area ? 10 : 2.2,
    'stroke-dasharray': dash.join(' ')})) line.setAttribute(k, v);
  line.style.stroke = stroke;
  svg.append(line);
  if (shape && !area) {
    const mark = document.createElementNS(ns, 'path');
    mark.setAttribute('d', shapes[shape]);
    mark.setAttribute('transform', 'translate(13 5)');
    mark.style.fill = stroke;
    svg.append(mark);
  }
  return svg;
}
