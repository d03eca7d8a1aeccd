drive(async () => {
  await sleep(200);
  const given = JSON.parse(one('#data').textContent);
  const chart = id => document.getElementById('chart-' + id);
  const drawn = id => pixels(one('canvas', chart(id)));
  const rows = id => all('tr.of', chart(id));

  // One that cannot be read has a card, and nothing else.
  check('a card for each', all('.run').length === 17 && all('.run.bad').length === 1, all('.run').length);
  const bad = one('.run.bad').textContent;
  check('why', bad.includes('broken') && bad.includes('line 7: <b>not</b> JSON') && bad.includes('cannot be read'), bad);
  check('not in the rest', all('.those .toggle').length === 16 && all('.show').length === 16 &&
    !one('#settings').textContent.includes('broken'));
  const head = all('#settings thead th').length;
  check('settings of those that can', head === 17, head);
  const names = all('.run h1').map(h => h.textContent);
  check('names differ', new Set(names).size === 17 && names[1].startsWith('new/') && names[2].startsWith('old/'), names);
  check('was running', all('.run')[15].querySelector('.chip').textContent === 'was running when this was written');
  check('its data set', one('.run').textContent.includes('Data set: demo'));

  // Flags are apart with their values.
  const flags = all('.find .flag').map(f => f.textContent);
  const want = ['--tigas-weight', '--tigas-start', '--tigas-form log', '--loss wgan-gp', '--tigas-weight 0.1',
    'tigas-train detector check', '--resume RUN/snapshots/FILE', 'tigas-train detector train --width 8', '--reduction sum',
    '--beta 0.1', '--free-bits 0.25', '--kl-warmup', '--aug color,translation,cutout', '--mirror', '--tigas-every 4', '--lr',
    '--mirror=false', '--clip-grad 1.5'];
  check('flags', flags.join('|') === want.join('|'), flags);
  const paragraphs = all('.find p').map(p => p.textContent).join(' ');
  check('and no text is lost', given.runs.every(r => r.findings.every(f => paragraphs.includes(f.remedy || ''))));

  // Eight at first and the one that goes on; all at a click.
  check('nine are drawn', rows('r1').length === 9 && one('.those').textContent.includes('9 of 16 runs'), rows('r1').length);
  button('Draw all').click();
  await frame();
  check('all are drawn', rows('r1').length === 16 && Boolean(button('Draw 8 only')), rows('r1').length);
  check('a row for each run', rows('G').length === 16 && rows('G')[0].cells.length === 3, rows('G').length);
  const looks = rows('r1').map(r => one('svg', r).outerHTML);
  check('each looks different', new Set(looks).size === 16);
  check('as do the buttons', new Set(all('.those .toggle').map(b => b.className + b.style.cssText)).size === 16);
  const whole = drawn('r1');
  const point = (e, type) => e.dispatchEvent(new PointerEvent(type));
  point(all('.those .toggle')[3], 'pointerenter');
  await frame();
  check('one before the others', drawn('r1') !== whole);
  point(all('.those .toggle')[3], 'pointerleave');
  await frame();
  check('and back', drawn('r1') === whole);
  button('Draw 8 only').click();
  await frame();
  check('eight', rows('r1').length === 8 && drawn('r1') !== whole, rows('r1').length);
  all('.those .toggle')[0].click();
  await frame();
  check('seven, and no stack of the eighth', rows('r1').length === 7 && all('.chart.stack:not([hidden])').length === 7);

  // Nothing is wider than the window, whatever its width. What scrolls in its own box may be.
  for (const [page, width] of [['sixteen', 1280], ['sixteen', 390], ['seven', 1280], ['seven', 390], ['two', 390]]) {
    const inner = document.createElement('iframe');
    inner.width = width;
    inner.height = 800;
    inner.src = page + '.html';
    const loaded = new Promise(r => inner.addEventListener('load', r));
    document.body.append(inner);
    await loaded;
    await sleep(200);
    const doc = inner.contentDocument;
    [...doc.querySelectorAll('button')].find(b => b.textContent === 'Draw all')?.click();
    await sleep(100);
    const over = all('body *', doc).filter(e => e.getBoundingClientRect().right > width + 1 &&
      !e.parentElement.closest('.legends, .table, .unseen'));
    check(`${page} in ${width}`, doc.documentElement.scrollWidth <= width && !over.length,
      [doc.documentElement.scrollWidth, over.map(e => e.tagName + '.' + e.className)]);
    const cut = all('.legends', doc).filter(e => e.scrollWidth > e.clientWidth + 1);
    check(`legends of ${page} in ${width}`, !cut.length, cut.map(e => [e.scrollWidth, e.clientWidth]));
    inner.remove();
  }
});
