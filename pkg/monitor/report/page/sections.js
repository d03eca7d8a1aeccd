// The parts of the page that are text: runs, findings, configuration.

function showRuns(doc, runs) {
  const box = $('runs'), several = runs.length > 1;
  box.classList.toggle('many', several);
  box.classList.toggle('crowd', runs.length > 6);
  box.replaceChildren(...runs.map(r => r.err ? errCard(r) : runCard(r, several, doc.written)));
  if (several && runs.some(r => !r.err)) box.append(el('p', {class: 'muted explain'}, explanation));
}

const explanation = 'TIGAS score: what the detector says of a picture. ' +
  '1 means it looks real to the detector, 0 that it looks generated. kimg: thousand pictures shown in training.';

// errCard is a run that has only a name, and why.
function errCard(run) {
  return el('article', {class: 'card run bad'},
    el('div', {}, el('div', {class: 'head'}, el('h1', {}, run.name), el('span', {class: 'chip unreadable'}, 'cannot be read')),
      run.dir && el('code', {class: 'command'}, run.dir)),
    el('p', {class: 'why'}, run.err));
}

function stateText(run, written) {
  if (run.state === 'running' && written) return 'was running when this was written';
  if (run.state === 'running' && run.started) return `running since ${date(run.started)}`;
  if (run.state !== 'interrupted') return run.state;
  const at = kimg(run.kimg);
  return run.total > 0 ? `interrupted at ${at.replace(' kimg', '')} of ${kimg(run.total)}` : `interrupted at ${at}`;
}

function runCard(run, several, written) {
  const part = run.total > 0 ? Math.min(1, run.kimg / run.total) : 0;
  const bar = el('div');
  bar.style.width = `${100 * part}%`;
  const progress = {class: 'progress', role: 'progressbar', 'aria-label': 'Progress', 'aria-valuemin': 0, 'aria-valuemax': 100};
  return el('article', {class: 'card run', tone: several ? run.tone : 'var(--accent)'},
    el('div', {},
      el('div', {class: 'head'}, several && dot(run), el('h1', {}, run.name),
        el('span', {class: `chip ${run.state}`}, stateText(run, written))),
      run.command && el('code', {class: 'command'}, run.command.split(/ (?=--)/).flatMap(s => [el('span', {}, s), ' '])),
      run.data && el('div', {class: 'command small'}, 'Data set: ', el('span', {class: 'mono'}, run.data))),
    el('div', {...progress, 'aria-valuenow': Math.round(100 * part)}, bar),
    el('div', {class: 'story'}, !several && el('h2', {}, 'What happened'), el('p', {}, run.story.join(' ')),
      !several && el('p', {class: 'muted'}, explanation)),
    el('dl', {class: 'figures'}, figures(run)));
}

function figures(run) {
  const list = [];
  const add = (title, value, small, hint) => {
    list.push(el('div', {title: hint}, el('dt', {}, title), el('dd', {}, value, small && el('small', {}, small))));
  };
  const s = run.score;
  if (s) {
    const arrow = el('span', {class: 'arrow'}, ' → '), of = s.of === 'sample_score' ? 'fixed samples' : 'batches in training';
    add('TIGAS score', [s.first.toFixed(2), arrow, s.last.toFixed(2)], s.doubt ? `${of}, not to be trusted` : of);
    if (known(s.real)) add('Real pictures', s.real.toFixed(2), 'their TIGAS score');
  }
  const toGo = run.kimg < run.total ? `of ${kimg(run.total)}` : run.state === 'finished' && 'as planned';
  if (known(run.kimg)) add('Trained on', kimg(run.kimg), toGo, kimgTitle);
  const rate = known(run.rate) && `${text(+run.rate.toPrecision(3))} images a second`;
  if (run.n) add('Time', duration(run.x.time[run.n - 1]), rate);
  if (run.updated) {
    const [day, hour] = date(run.updated).split(', ');
    add('Last log line', el('span', {'data-ago': run.updated}, hour), day);
  }
  return list;
}

function showFindings(runs) {
  const all = runs.flatMap(run => run.findings.map(f => ({...f, run})));
  const order = {problem: 0, warning: 1};
  all.sort((a, b) => (order[a.severity] ?? 2) - (order[b.severity] ?? 2));
  const mark = {problem: '● Problem', warning: '▲ Warning'};
  $('findings').hidden = !runs.some(r => r.n);
  $('findings').querySelector('.body').replaceChildren(all.length ? el('div', {class: 'finds'}, all.map(f =>
    el('article', {class: `card find ${mark[f.severity] ? f.severity : 'info'}`},
      el('div', {class: 'kind'}, el('b', {}, mark[f.severity] || '■ Remark'), runs.length > 1 && el('span', {}, f.run.name),
        f.kimg > 0 && el('span', {}, `at ${kimg(f.kimg)}`), f.rule && el('code', {class: 'rule'}, f.rule)),
      el('h3', {}, f.title), f.evidence && el('p', {class: 'muted'}, withFlags(f.evidence)),
      f.remedy && el('p', {}, withFlags(f.remedy))))) :
    el('p', {class: 'card none'}, '✓ No problems found.'));
}

// A flag, with the word after it where that is its value: a number, a path, a placeholder in capitals, a word that is joined
// from several, or one word before another flag or the end of the clause.
const flag = String.raw`--[a-z][a-z0-9-]*(?:=[^\s,;)]+| (?:[-+]?\d(?:[\w.,:%-]*\w)?|[\w.~-]*\/[\w./-]*\w|[A-Z][A-Z0-9_]*\b|` +
  String.raw`[a-z]\w*(?:[-,:.]\w+)+|(?!(?:again|instead|too|later)\b)[a-z]\w*(?=[.,;:)]|$| --)))?`;
const command = 'tigas-train(?: (?:gan|stylegan|vae|diffusion|detector (?:train|check|info|convert|demo|fetch)|sample|score|eval|' +
  'report|watch|progression|interpolate|reconstruct|doctor))+(?: [A-Z][A-Z0-9_]+\\b)*';
const code = new RegExp(`((?<![\\w-])(?:${command}(?: ${flag})*|${flag}))`);

// withFlags sets the flags of the command line apart, with their values, and whole commands. It breaks no line in short ones.
function withFlags(words) {
  return words.split(code).map((part, i) => i % 2 ? el('code', {class: part.length > 34 ? 'flag long' : 'flag'}, part) : part);
}

// Settings keeps its search and what is unfolded when new data comes.
class Settings {
  constructor(section) {
    this.section = section;
    this.all = false;
    const label = 'Search settings';
    this.search = el('input', {type: 'search', placeholder: label, 'aria-label': label, oninput: () => this.update()});
    this.facts = el('div');
    this.table = el('div', {class: 'card table'});
    this.more = el('button', {type: 'button', class: 'more', onclick: () => {
      this.all = !this.all;
      this.update();
    }});
    this.tools = el('div', {class: 'tools'}, this.search);
    section.querySelector('.body').append(this.facts, this.tools, this.table, this.more);
  }

  setRuns(runs) {
    const shape = JSON.stringify(runs.map(r => [r.name, r.settings, r.facts, r.dir]));
    if (shape === this.shape) return;
    this.shape = shape;
    this.runs = runs;
    this.several = runs.length > 1;
    this.rows = tableOf(runs, 'settings');
    const facts = tableOf(runs, 'facts');
    const folders = runs.filter(r => r.dir).map(r => r.dir);
    if (folders.length) facts.push({name: 'folder', values: folders.map(value => ({value}))});
    this.section.hidden = !this.rows.length && !facts.length;
    this.facts.replaceChildren(facts.length ? el('dl', {class: 'card facts'}, facts.map(f => {
      const values = [...new Set(f.values.map(v => v ? v.value : 'not known'))];
      return el('div', {}, el('dt', {}, f.name), values.map(v => el('dd', {}, v)));
    })) : '');
    this.tools.hidden = this.table.hidden = !this.rows.length;
    this.update();
  }

  update() {
    const {runs, several} = this;
    const words = this.search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const hits = this.rows.filter(row => words.every(w => row.all.includes(w)));
    const bands = !several ? [['Not a default', hits.filter(r => r.set)]] : [
      ['Different between the runs', hits.filter(r => r.differs)],
      ['The same, not a default', hits.filter(r => !r.differs && r.set)],
    ];
    const defaults = hits.filter(r => !r.set && !(several && r.differs));
    const open = this.all || words.length > 0;
    if (open) bands.push(['Defaults', defaults]);
    this.more.hidden = words.length > 0 || !defaults.length;
    this.more.textContent = this.all ? 'Hide defaults' : `Show ${defaults.length} defaults`;
    const wide = several ? runs.length + 1 : 3;
    const body = bands.filter(([, rows]) => rows.length).flatMap(([title, rows]) => [
      el('tr', {class: 'band'}, el('th', {colspan: wide, scope: 'rowgroup'}, title)), ...rows.map(row => this.row(row))]);
    const none = words.length ? 'No setting fits the search.' : 'All settings are defaults.';
    if (!body.length) body.push(el('tr', {}, el('td', {colspan: wide, class: 'same'}, none)));
    const table = el('table', {}, el('thead', {}, el('tr', {}, el('th', {scope: 'col'}, 'Setting'),
      several ? runs.map(r => el('th', {scope: 'col'}, dot(r), ' ', r.name)) :
        [el('th', {scope: 'col'}, 'Value'), el('th', {scope: 'col', class: 'origin'}, 'Origin')])), el('tbody', {}, body));
    // Many columns scroll inside of the card.
    if (runs.length > 2) table.style.minWidth = `${9 + 7.5 * runs.length}em`;
    this.table.replaceChildren(table);
  }

  row(row) {
    const nothing = v => el('span', {class: 'muted'}, v ? 'empty' : '-');
    const value = v => v && v.value !== '' ? el('span', {class: 'mono'}, v.value) : nothing(v);
    const origin = v => v && v.origin && v.origin !== 'default' && el('small', {}, v.origin);
    const cells = this.several ? row.values.map(v => el('td', {class: row.differs ? '' : 'same'}, value(v), origin(v))) :
      [el('td', {}, value(row.values[0])), el('td', {class: 'origin'}, row.values[0].origin)];
    return el('tr', {}, el('th', {scope: 'row', class: 'mono'}, row.name), cells);
  }
}

// tableOf has a row for each name that any run has, in the order of the runs.
function tableOf(runs, key) {
  const rows = new Map();
  runs.forEach((run, i) => {
    for (const s of run[key]) {
      if (!rows.has(s.name)) rows.set(s.name, {name: s.name, values: runs.map(() => null)});
      rows.get(s.name).values[i] = s;
    }
  });
  for (const row of rows.values()) {
    row.differs = new Set(row.values.map(v => v ? v.value : null)).size > 1;
    row.set = row.values.some(v => v && v.origin !== 'default');
    row.all = [row.name, ...row.values.flatMap(v => v ? [v.value, v.origin] : [])].join(' ').toLowerCase();
  }
  return [...rows.values()];
}
