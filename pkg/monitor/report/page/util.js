// Elements, numbers and colours.

// el makes an element. Text is always text: names in a run may hold HTML.
function el(tag, attributes, ...children) {
  const e = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value === undefined || value === false || value === null) continue;
    if (key.startsWith('on')) e.addEventListener(key.slice(2), value);
    else if (key === 'tone') e.style.setProperty('--tone', value);
    else if (key === 'class') e.className = value;
    else e.setAttribute(key, value === true ? '' : value);
  }
  e.append(...children.flat().filter(c => c || c === 0));
  return e;
}

const $ = id => document.getElementById(id);

// tone is the colour of the i-th run or area. After eight they come again, in another shade.
const tones = 8;
function tone(i) {
  const c = `var(--c${i % tones})`, round = Math.floor(i / tones) % 3;
  return round ? `color-mix(in oklab, ${c} ${round === 1 ? 62 : 45}%, var(${round === 1 ? '--text' : '--strong'}))` : c;
}

// valueTone is that of the i-th value of a run: neighbours differ in more than their hue. Its shape sets it apart as well.
const valueTone = i => tone([0, 1, 3, 4, 2, 6, 7, 5][i % tones]);

// shapes mark points of a line. The first is a line without marks, with dots where it has few values.
const shapes = ['', 'M-3.2-3.2H3.2V3.2H-3.2Z', 'M0-4.2L4.2 3.2H-4.2Z', 'M0-4.6L4.6 0 0 4.6-4.6 0Z',
  'M-4-2H-1.4V-4.4H1.4V-2H4V1H1.4V4.4H-1.4V1H-4Z'];

// dot stands for a run beside its name: round from the ninth on, and a ring from the seventeenth.
const dot = (run, more) => el('span', {class: `dot round${Math.floor(run.index / tones) % 3}`, tone: run.tone, ...more});

// colour resolves a CSS variable for a canvas, which knows none.
const colours = new Map();
const probe = el('span', {hidden: true});
document.body.append(probe);
function colour(variable) {
  let c = colours.get(variable);
  if (!c) {
    probe.style.color = variable;
    c = getComputedStyle(probe).color;
    colours.set(variable, c);
  }
  return c;
}

const known = v => v !== null && v !== undefined && Number.isFinite(v);

// text of a number, in about four digits.
function text(v) {
  if (v === undefined || v === null) return '';
  if (!Number.isFinite(v)) return 'NaN';
  const a = Math.abs(v);
  if (a === 0) return '0';
  if (a < 1e-3 || a >= 1e6) return v.toExponential(2).replace(/\.?0+e/, 'e').replace('e+', 'e');
  if (a >= 1000) return String(Math.round(v));
  return String(+v.toPrecision(a < 1 ? 3 : 4));
}

// What a kimg is, where somebody points at it.
const kimgTitle = '1 kimg: a thousand pictures shown to the network in training';

const kimg = v => known(v) ? `${+v.toFixed(v < 10 ? 2 : 1)} kimg` : '';

function duration(sec) {
  const s = Math.round(sec);
  if (s < 60) return `${s}s`;
  const two = n => String(n).padStart(2, '0');
  if (s < 3600) return `${Math.floor(s / 60)}m ${two(s % 60)}s`;
  if (s < 86400) return `${Math.floor(s / 3600)}h ${two(Math.floor(s / 60) % 60)}m`;
  return `${Math.floor(s / 86400)}d ${two(Math.floor(s / 3600) % 24)}h`;
}

const dates = new Intl.DateTimeFormat('en-GB',
  {day: 'numeric', month: 'short', year: 'numeric', hour: '2-digit', minute: '2-digit'});
const date = stamp => stamp ? dates.format(new Date(stamp)) : '';

// pressed makes a button that is on or off.
function pressed(label, on, change, attributes) {
  const b = el('button', {type: 'button', 'aria-pressed': String(on), ...attributes}, label);
  b.addEventListener('click', () => {
    const now = b.getAttribute('aria-pressed') !== 'true';
    b.setAttribute('aria-pressed', String(now));
    change(now);
  });
  return b;
}

// choice makes buttons of which one is on.
function choice(label, options, value, change) {
  const g = el('div', {class: 'group', role: 'group', 'aria-label': label});
  for (const [key, name] of options) {
    const b = el('button', {type: 'button', 'aria-pressed': String(key === value)}, name);
    b.addEventListener('click', () => {
      for (const other of g.children) other.setAttribute('aria-pressed', String(other === b));
      change(key);
    });
    g.append(b);
  }
  return g;
}

// arrange makes elements the children of a box, and leaves those in place that are: moving one takes the focus from it.
function arrange(box, elements) {
  for (const e of [...box.children]) if (!elements.includes(e)) e.remove();
  elements.forEach((e, i) => {
    if (box.children[i] !== e) box.insertBefore(e, box.children[i] || null);
  });
}

// Where the browser forbids storage, for a file for instance, the page does without.
function remember(key, value) {
  try { localStorage.setItem(key, value); } catch { /* not kept */ }
}
function recall(key) {
  try { return localStorage.getItem(key); } catch { return null; }
}
