// The page as a whole.

const given = JSON.parse($('data').textContent);
const charts = new Charts($('charts'));
const timeline = new Timeline($('samples'), mark => charts.setMark(mark));
const settings = new Settings($('settings'));
let texts = '';

function show(doc) {
  const runs = decode(doc);
  // What is text is made anew only when it has changed: a selection or the focus would be lost.
  const next = JSON.stringify(doc.runs.map(({values, x, pictures, ...rest}) => rest));
  if (next !== texts) {
    texts = next;
    showRuns(doc, runs);
    showFindings(runs);
  }
  const whole = runs.filter(r => !r.err);
  settings.setRuns(whole);
  timeline.setRuns(whole);
  charts.setDocument(doc, whole);
}

function notice(message) {
  if ($('notice').textContent !== message) $('notice').textContent = message; // once, for those who hear it
  $('notice').hidden = !message;
}

// theme is light, dark, or that of the system.
function showTheme() {
  const root = document.documentElement, kept = recall('tigas-train theme');
  if (kept === 'light' || kept === 'dark') root.dataset.theme = kept;
  const system = matchMedia('(prefers-color-scheme: dark)');
  const dark = () => root.dataset.theme ? root.dataset.theme === 'dark' : system.matches;
  const update = () => {
    $('theme').textContent = dark() ? '☀ Light' : '☾ Dark';
    colours.clear();
    charts.redraw();
  };
  $('theme').addEventListener('click', () => {
    root.dataset.theme = dark() ? 'light' : 'dark';
    remember('tigas-train theme', root.dataset.theme);
    update();
  });
  system.addEventListener('change', update);
  // Canvases are pictures: on paper they need its colours and more pixels.
  const paper = on => {
    printing = on;
    colours.clear();
    charts.all = true;
    charts.drawNow();
  };
  addEventListener('beforeprint', () => {
    root.dataset.before = root.dataset.theme || '';
    root.dataset.theme = 'light';
    paper(true);
  });
  addEventListener('afterprint', () => {
    if (root.dataset.before) root.dataset.theme = root.dataset.before; else delete root.dataset.theme;
    paper(false);
  });
  update();
}

function startLive() {
  let good = null, told = '';
  $('when').title = `checked every ${soon / 1000} s, less often while nothing changes`;
  const live = new Live(doc => {
    told = doc.error || '';
    if (told) return;
    good = new Date();
    show(doc);
    document.title = doc.runs.map(r => known(r.kimg) ? `${kimg(r.kimg)} ${r.name}` : r.name).join(', ') || 'tigas-train';
    if (!doc.runs.length) told = 'There is no run here yet.';
  }, error => {
    const since = good ? ` What you see is of ${good.toLocaleTimeString('en-GB')}.` : '';
    $('when').textContent = error ? 'not connected' : 'live';
    notice(error ? `The connection is lost, trying again (${error.message}).${since}` : told);
  });
  setInterval(() => {
    for (const e of document.querySelectorAll('[data-ago]')) {
      const sec = Math.max(0, (Date.now() + live.clock - new Date(e.dataset.ago)) / 1000);
      const words = sec < 90 ? `${Math.round(sec)} s ago` : sec < 5400 ? `${Math.round(sec / 60)} min ago` : '';
      if (words && e.textContent !== words) e.textContent = words;
    }
  }, 1000);
}

showTheme();
if (given.live) startLive();
else {
  $('when').textContent = given.written ? `report of ${date(given.written)}` : '';
  show(given);
}
