// All charts: what they share, and the tools over them.

class Charts {
  constructor(section) {
    this.section = section;
    this.body = section.querySelector('.body');
    this.axis = 'kimg';
    this.log = false;
    this.smooth = 0;
    this.from = this.to = null; // of the zoom, in units of the axis
    this.hover = null;
    this.drag = null;
    this.mark = null; // kimg of the pictures that are shown
    this.hidden = new Set();
    this.met = new Set(); // the runs that there were
    this.front = null; // the id of the run that is drawn over the others, which are faint
    this.cards = [];
    this.grid = el('div', {class: 'grid'});
    this.tools = el('div', {class: 'tools'});
    this.body.append(this.tools, this.grid);
    new ResizeObserver(() => this.redraw()).observe(this.grid);
  }

  setDocument(doc, runs) {
    this.doc = doc;
    this.runs = runs;
    const specs = doc.charts || [];
    // So many lines that they can be read at first, and the others at a click.
    for (const r of runs) {
      const shown = runs.filter(o => this.met.has(o.id) && !this.hidden.has(o.id)).length;
      if (!this.met.has(r.id) && shown >= tones && r.state !== 'running') this.hidden.add(r.id);
      this.met.add(r.id);
    }
    this.section.hidden = !specs.length;
    // A chart stays as it is, with the focus on it, while others come: a value may be in the log for the first time.
    const old = new Map(this.cards.map(c => [JSON.stringify(c.spec), c]));
    this.cards = specs.map(spec => old.get(JSON.stringify(spec)) || new Chart(spec, this));
    arrange(this.grid, this.cards.map(c => c.card));
    if (this.hover && !this.cards.includes(this.hover.chart)) this.hover = null;
    const names = JSON.stringify(runs.map(r => [r.id, r.name]));
    if (names !== this.names) {
      this.names = names;
      this.buildTools();
    }
    this.setRuns();
  }

  setRuns() {
    for (const c of this.cards) c.setRuns(this.runs);
    this.redraw();
  }

  // lit puts a run before the others while the pointer or the focus is on an element.
  lit(element, run) {
    const set = id => () => {
      if (this.front === id) return;
      this.front = id;
      this.redraw();
    };
    for (const [on, off] of [['pointerenter', 'pointerleave'], ['focusin', 'focusout']]) {
      element.addEventListener(on, set(run.id));
      element.addEventListener(off, set(null));
    }
    return element;
  }

  quantity(name) { return (this.doc.quantity || {})[name] || {title: name}; }

  buildTools() {
    this.reset = el('button', {type: 'button', hidden: this.from === null, onclick: () => this.zoom(null)}, 'Reset zoom');
    const value = el('output', {}, this.smooth ? String(this.smooth) : 'off');
    const slider = el('input', {type: 'range', min: 0, max: 0.99, step: 0.01, value: this.smooth, 'aria-label': 'Smoothing'});
    slider.addEventListener('input', () => {
      this.smooth = +slider.value;
      value.textContent = this.smooth ? slider.value : 'off';
      this.redraw();
    });
    const shape = r => `toggle round${Math.floor(r.index / tones) % 3}`;
    const runs = this.runs.length < 2 ? [] : this.runs.map(r => this.lit(
      pressed(el('span', {class: 'name'}, r.name), !this.hidden.has(r.id), on => {
        if (on) this.hidden.delete(r.id); else this.hidden.add(r.id);
        this.setRuns();
        tell();
      }, {class: shape(r), tone: r.tone, title: r.name}), r));
    const whole = this.runs.length <= tones ? null : el('button', {type: 'button', onclick: () => {
      const all = !this.hidden.size;
      this.runs.forEach((r, i) => { if (all && i >= tones) this.hidden.add(r.id); else this.hidden.delete(r.id); });
      runs.forEach((b, i) => b.setAttribute('aria-pressed', String(!this.hidden.has(this.runs[i].id))));
      this.setRuns();
      tell();
    }});
    const counted = whole && el('span', {class: 'muted small'});
    const tell = () => {
      if (!whole) return;
      const off = this.runs.filter(r => this.hidden.has(r.id)).length;
      counted.textContent = `${this.runs.length - off} of ${this.runs.length} runs are drawn`;
      whole.textContent = off ? 'Draw all' : `Draw ${tones} only`;
    };
    tell();
    const axis = choice('Horizontal axis', [['kimg', 'kimg'], ['step', 'step'], ['time', 'time']], this.axis,
      a => this.setAxis(a));
    axis.firstChild.title = kimgTitle;
    this.tools.replaceChildren(
      axis,
      pressed('Log scale', this.log, on => {
        this.log = on;
        this.redraw();
      }, {class: 'toggle', title: 'of losses and gradients'}),
      el('label', {class: 'slider'}, 'Smoothing', slider, value), this.reset,
      runs.length ? el('div', {class: 'those', role: 'group', 'aria-label': 'Runs in the charts'}, counted, whole, runs) : '');
  }

  // setAxis keeps what is in sight, by the entries of the run that has most of them.
  setAxis(axis) {
    const run = this.longest();
    if (this.from !== null && run) {
      const old = run.x[this.axis], next = run.x[axis];
      const move = x => interpolate(old, next, x);
      [this.from, this.to] = [move(this.from), move(this.to)];
      if (!(this.to > this.from)) this.from = this.to = null;
    }
    this.axis = axis;
    this.hover = null;
    this.redraw();
  }

  longest() { return this.runs.reduce((a, r) => !a || r.n > a.n ? r : a, null); }

  // whole is the range of all runs that are shown.
  whole() {
    let to = 0;
    for (const r of this.runs) if (r.n && !this.hidden.has(r.id)) to = Math.max(to, r.x[this.axis][r.n - 1]);
    return [0, to || 1];
  }

  range() { return this.from === null ? this.whole() : [this.from, this.to]; }

  zoom(from, to) {
    const [a, b] = this.whole();
    from = from === null ? a : Math.max(a, from);
    to = Math.min(b, to ?? b);
    if (from <= a && to >= b) this.from = this.to = null;
    else if (to - from > (b - a) * 1e-6) [this.from, this.to] = [from, to];
    this.reset.hidden = this.from === null;
    this.redraw();
  }

  setHover(hover) {
    this.hover = hover;
    this.over();
  }

  // markX is where the pictures that are shown were made.
  markX() {
    const run = this.longest();
    if (this.mark === null || !run || !run.n) return null;
    return this.axis === 'kimg' ? this.mark : interpolate(run.x.kimg, run.x[this.axis], this.mark);
  }

  setMark(mark) {
    this.mark = mark;
    this.over();
  }

  // redraw and over wait for the next frame, however often they are asked for until then.
  redraw() {
    this.all = true;
    this.over();
  }

  over() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => this.drawNow());
  }

  drawNow() {
    this.waiting = false;
    const {all} = this;
    this.all = false;
    for (const c of this.cards) if (all) c.draw(); else c.drawOver();
  }
}

// interpolate finds the place on another axis.
function interpolate(from, to, x) {
  const n = from.length, k = lower(n, i => from[i], x);
  if (k === 0) return n ? to[0] : 0;
  if (k === n) return to[n - 1];
  const part = (x - from[k - 1]) / (from[k] - from[k - 1]);
  return to[k - 1] + part * (to[k] - to[k - 1]);
}
