// The pictures over time: a slider, and side by side what each run drew then.

const kinds = {
  fakes: ['Samples', 'Samples'],
  scores: ['Scores', 'What the detector says of each sample'],
  recon: ['Reconstructions', 'Pictures and their reconstructions'],
  reals: ['Real pictures', 'Real pictures'],
};

class Timeline {
  constructor(section, moved) {
    this.section = section;
    this.body = section.querySelector('.body');
    this.moved = moved;
    this.at = null; // kimg; null: the newest
    this.shown = new Set();
    this.chosen = false;
    this.timer = null;
    this.loaded = new Map();
    this.shape = '';
    document.addEventListener('keydown', e => {
      if (document.activeElement !== document.body || e.altKey || e.ctrlKey || e.metaKey || section.hidden) return;
      if (e.key === 'ArrowLeft') this.step(-1);
      if (e.key === 'ArrowRight') this.step(1);
    });
  }

  setRuns(runs) {
    this.runs = runs.filter(r => r.pictures.length || (r.notes || []).length);
    this.section.hidden = !this.runs.length;
    const times = new Set();
    for (const r of this.runs) for (const p of r.pictures) if (p.kind !== 'reals') times.add(p.kimg);
    this.times = [...times].sort((a, b) => a - b);
    this.there = [...new Set(this.runs.flatMap(r => r.pictures.map(p => p.kind)))];
    if (!this.chosen) { // nobody has said which: those that are there by now
      const few = this.runs.length === 1 ? ['fakes', 'reals'] : ['fakes'];
      this.shown = new Set(this.there.some(k => few.includes(k)) ? few : this.there);
    }
    const shape = JSON.stringify([this.there, this.chosen || [...this.shown], this.runs.map(r => [r.id, r.name, r.notes])]);
    if (shape !== this.shape) {
      this.shape = shape;
      this.build(runs.length > 1);
    }
    this.update();
  }

  build(several) {
    this.stop();
    this.slider = el('input', {type: 'range', min: 0, step: 1, 'aria-label': 'Time of the samples', oninput: () => {
      this.stop();
      this.go(+this.slider.value);
    }});
    this.output = el('output');
    this.play = el('button', {type: 'button', class: 'play', onclick: () => this.timer ? this.stop() : this.start()}, '▶ Play');
    this.scrub = el('div', {class: 'scrub'}, this.play, this.slider, this.output);
    const few = this.there.length < 2;
    const toggles = few ? [] : this.there.map(kind => pressed((kinds[kind] || [kind])[0], this.shown.has(kind), on => {
      this.chosen = true;
      if (on) this.shown.add(kind); else this.shown.delete(kind);
      this.update();
    }, {class: 'toggle'}));
    this.shows = this.runs.map(run => {
      const pics = el('div', {class: 'pics'});
      const title = several && el('h3', {}, dot(run), run.name);
      const notes = (run.notes || []).map(n => el('p', {class: 'muted small'}, n));
      return {id: run.id, pics, figures: new Map(), box: el('div', {class: 'show'}, title, pics, notes)};
    });
    this.body.replaceChildren(
      el('p', {class: 'muted small tools'},
        'Each place in the grid is one fixed latent: what changes from time to time is the network, not the input.'),
      toggles.length ? el('div', {class: 'tools', role: 'group', 'aria-label': 'Kinds of pictures'}, toggles) : '', this.scrub,
      el('div', {class: this.runs.length > 1 ? 'shows' : ''}, this.shows.map(s => s.box)));
  }

  // index is that of the time that was chosen last, however many have come since.
  index() {
    if (!this.times.length) return -1;
    return this.at === null ? this.times.length - 1 : nearest(this.times.length, i => this.times[i], this.at);
  }

  go(i) {
    i = Math.max(0, Math.min(this.times.length - 1, i));
    this.at = i === this.times.length - 1 ? null : this.times[i];
    this.update();
  }

  step(by) {
    this.stop();
    this.go(this.index() + by);
  }

  start() {
    if (this.at === null) this.go(0);
    this.play.textContent = '❚❚ Pause';
    this.timer = setInterval(() => {
      this.go(this.index() + 1);
      if (this.at === null) this.stop();
    }, 550);
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    if (this.play) this.play.textContent = '▶ Play';
  }

  update() {
    const i = this.index(), now = this.times[i];
    this.scrub.hidden = this.times.length < 2;
    this.slider.max = Math.max(0, this.times.length - 1);
    this.slider.value = Math.max(0, i);
    this.output.textContent = kimg(now);
    this.slider.setAttribute('aria-valuetext', kimg(now));
    this.shows.forEach(show => this.updateRun(show, this.runs.find(r => r.id === show.id), now));
    for (const next of [i + 1, i - 1, i + 2]) this.preload(this.times[next]);
    this.moved(this.at);
  }

  updateRun(show, run, now) {
    const wanted = [];
    for (const kind of this.there) {
      if (!this.shown.has(kind) || !run.pictures.some(p => p.kind === kind)) continue;
      const p = pictureAt(run, kind, now);
      let f = show.figures.get(kind);
      if (!f) {
        f = {img: el('img'), caption: el('figcaption')};
        f.figure = el('figure', {}, f.img, f.caption);
        f.img.addEventListener('error', () => f.figure.classList.add('lost'));
        f.img.addEventListener('load', () => {
          f.figure.classList.remove('lost');
          // Whole multiples of its pixels, as far as there is room.
          const w = f.img.naturalWidth;
          if (w) f.img.style.width = `${w * Math.max(1, Math.floor(540 / w))}px`;
        });
        show.figures.set(kind, f);
      }
      const source = address(p.src);
      if (f.img.getAttribute('src') !== source) f.img.src = source;
      const name = (kinds[kind] || [kind, kind])[1];
      const when = kind === 'reals' ? '' : ` at ${kimg(p.kimg)}`;
      f.img.alt = `${run.name}: ${name}${when}`;
      f.caption.replaceChildren(el('b', {}, name), when, scoreText(run, kind, p.kimg));
      wanted.push(f.figure);
    }
    arrange(show.pics, wanted);
  }

  // preload asks for the neighbours, so that the slider shows no gaps.
  preload(time) {
    if (time === undefined) return;
    for (const run of this.runs) {
      for (const kind of this.shown) {
        const p = pictureAt(run, kind, time);
        if (!p || this.loaded.has(p.src)) continue;
        const img = new Image();
        img.src = address(p.src);
        this.loaded.set(p.src, img);
        if (this.loaded.size > 60) this.loaded.delete(this.loaded.keys().next().value);
      }
    }
  }
}

// pictureAt is the last picture until then, or the first.
function pictureAt(run, kind, time) {
  const own = run.pictures.filter(p => p.kind === kind);
  return own.findLast(p => time === undefined || p.kimg <= time) || own[0];
}

// address is that of a picture: of the server, or the text of an element of this file.
function address(src) {
  return src.startsWith('#') ? $(src.slice(1)).textContent : src;
}

function scoreText(run, kind, at) {
  const name = {fakes: 'sample_score', reals: 'data_score'}[kind];
  const v = name && valueNear(run, name, at);
  return known(v) ? `, TIGAS score ${v.toFixed(2)}` : '';
}
