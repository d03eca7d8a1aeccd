// Put before the page's own script by browser_test.go: collects what goes wrong and what the checks say, and tells the test.
window.checks = {failed: [], passed: 0};
window.addEventListener('error', e => checks.failed.push('error: ' + e.message));
window.addEventListener('unhandledrejection', e => checks.failed.push('rejection: ' + e.reason));
document.addEventListener('securitypolicyviolation', e => checks.failed.push('policy: ' + e.violatedDirective));
for (const level of ['error', 'warn']) console[level] = (...a) => checks.failed.push('console: ' + a.join(' '));

const check = (what, ok, more) => {
  if (ok) checks.passed++; else checks.failed.push(what + (more === undefined ? '' : ': ' + JSON.stringify(more)));
};
const sleep = ms => new Promise(r => setTimeout(r, ms));
// The page's own frame was asked for before.
const frame = () => new Promise(r => requestAnimationFrame(() => setTimeout(r, 1)));
const all = (q, e = document) => [...e.querySelectorAll(q)];
const one = (q, e = document) => e.querySelector(q);
const button = (label, e = document) => all('button', e).find(b => b.textContent.includes(label));
// pixels is a number for what a canvas shows.
const pixels = c => {
  const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;
  let h = 0;
  for (let i = 0; i < d.length; i++) h = (h * 31 + d[i]) | 0;
  return h;
};
const pointer = (type, e, part, more) => {
  const r = e.getBoundingClientRect();
  // 50 and 12 are the margins of the plot.
  e.dispatchEvent(new PointerEvent(type, {bubbles: true, cancelable: true, pointerId: 1, button: 0,
    clientX: r.left + 50 + part * (r.width - 62), clientY: r.top + 60, ...more}));
};
const drag = async (e, from, to) => {
  pointer('pointerdown', e, from);
  pointer('pointermove', e, (from + to) / 2);
  pointer('pointermove', e, to);
  pointer('pointerup', e, to);
  await frame();
};
const key = (e, name) => e.dispatchEvent(new KeyboardEvent('keydown', {key: name, bubbles: true, cancelable: true}));
const drive = steps => addEventListener('load', async () => {
  try {
    await Promise.race([steps(), sleep(40000).then(() => check('in time', false))]);
  } catch (e) {
    checks.failed.push('the checks: ' + e.stack);
  }
  await fetch('/test/checks', {method: 'POST', body: JSON.stringify(checks)});
});
