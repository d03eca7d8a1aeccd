drive(async () => {
  await sleep(200);
  const given = JSON.parse(one('#data').textContent);
  const chart = id => document.getElementById('chart-' + id);
  const plot = id => one('.plot', chart(id));
  const drawn = id => pixels(one('canvas', chart(id)));
  const value = (id, row, column = 0) => all('tbody tr, .legend > tr', chart(id))[row].cells[1 + column].textContent;

  // What is there.
  check('two runs', all('.run').length === 2);
  const name = one('.run h1').textContent;
  check('names are text', name === '<img src=x onerror="pwned=1">&amp;</scr' + 'ipt>' && window.pwned === undefined, name);
  check('every chart', all('.chart').length === given.charts.length && given.charts.length > 15, all('.chart').length);
  check('panels in order', all('.chart .panel')[0].textContent === 'TIGAS score');
  check('findings, the worst first', one('.find .kind').textContent.includes('Problem') && all('.find').length === 3);
  check('state', all('.chip')[1].textContent.startsWith('interrupted at 66'), all('.chip')[1].textContent);
  check('nothing from the network', performance.getEntriesByType('resource').every(e => /^(data|blob):/.test(e.name)),
    performance.getEntriesByType('resource').map(e => e.name.slice(0, 60)));
  check('no horizontal scroll', document.documentElement.scrollWidth <= innerWidth, document.documentElement.scrollWidth);
  check('sharp', one('.plot canvas').width === Math.round(one('.plot').clientWidth * devicePixelRatio));
  check('labelled', all('.plot').every(p => / from |%/.test(p.getAttribute('aria-label'))));

  // Hover: values under the pointer, the crosshair in every chart.
  const before = pixels(all('canvas', plot('r1'))[1]), last = value('sample_score', 0);
  pointer('pointermove', plot('sample_score'), 0.5);
  await frame();
  const nearest = (run, name, kimg) => {
    const c = run.values[name], at = c.at || c.v.map((_, i) => i);
    return c.v[at.map((i, k) => [Math.abs(run.x.kimg[i] - kimg), k]).sort((a, b) => a[0] - b[0])[0][1]];
  };
  const under = value('sample_score', 0), want = nearest(given.runs[0], 'sample_score', 50).toFixed(3);
  check('value under the pointer', under === want && under !== last, [under, want, last]);
  check('crosshair in another chart', pixels(all('canvas', plot('r1'))[1]) !== before);
  pointer('pointerleave', plot('sample_score'), 0.5);
  await frame();
  check('the last value without a pointer', value('sample_score', 0) === last && pixels(all('canvas', plot('r1'))[1]) === before);

  // Drag, keys, double click.
  const whole = drawn('r1');
  await drag(plot('sample_score'), 0.2, 0.4);
  check('a drag zooms every chart', drawn('r1') !== whole && !button('Reset zoom').hidden);
  plot('r1').focus();
  pointer('pointermove', plot('r1'), 0.001);
  key(plot('r1'), 'ArrowRight');
  const from = parseFloat(one('#spoken').textContent);
  check('the range is that of the drag', from >= 20 && from < 21.5, one('#spoken').textContent);
  button('time').click();
  await frame();
  check('the zoom is kept on another axis', !button('Reset zoom').hidden);
  plot('r1').focus();
  pointer('pointermove', plot('r1'), 0.001);
  key(plot('r1'), 'ArrowRight');
  check('and means the same', one('#spoken').textContent.startsWith('12m'), one('#spoken').textContent);
  button('kimg').click();
  plot('r1').dispatchEvent(new MouseEvent('dblclick', {bubbles: true}));
  pointer('pointerleave', plot('r1'), 0.5);
  await frame();
  check('a double click resets', drawn('r1') === whole && button('Reset zoom').hidden);
  const small = whole;
  await drag(plot('r1'), 0.5, 0.502);
  pointer('pointerleave', plot('r1'), 0.5);
  await frame();
  check('a click is no drag', drawn('r1') === small);
  const wheel = new WheelEvent('wheel', {deltaY: 100, bubbles: true, cancelable: true});
  plot('r1').dispatchEvent(wheel);
  check('the wheel scrolls the page', !wheel.defaultPrevented);

  // Tools.
  const loss = drawn('path_loss');
  button('Log scale').click();
  await frame();
  check('log scale of a loss', drawn('path_loss') !== loss);
  button('Log scale').click();
  const smooth = one('#charts input[type=range]');
  smooth.value = 0.9;
  smooth.dispatchEvent(new Event('input', {bubbles: true}));
  await frame();
  check('smoothing', drawn('path_loss') !== loss && one('#charts output').textContent === '0.9');
  smooth.value = 0;
  smooth.dispatchEvent(new Event('input', {bubbles: true}));
  await frame();
  check('and back', drawn('path_loss') === loss);
  one('.legend button', chart('path_loss')).click();
  await frame();
  check('legend', drawn('path_loss') !== loss && one('.legend button', chart('path_loss')).ariaPressed === 'false');
  one('.legend button', chart('path_loss')).click();
  button('second', one('#charts .tools')).click();
  await frame();
  check('a run hidden', drawn('path_loss') !== loss);
  button('second', one('#charts .tools')).click();

  // Samples.
  const slider = one('#samples input[type=range]'), picture = () => one('#samples img');
  check('the newest at first', picture().alt.endsWith('at 100 kimg') && slider.value === slider.max, picture().alt);
  const newest = picture().src;
  slider.value = 2;
  slider.dispatchEvent(new Event('input', {bubbles: true}));
  await frame();
  check('slider', picture().alt.endsWith('at 25 kimg') && picture().src !== newest, picture().alt);
  check('and its text', one('.scrub output').textContent === '25 kimg');
  check('decoded', picture().naturalWidth === 136);
  document.activeElement.blur();
  key(document.body, 'ArrowRight');
  check('arrow key', picture().alt.endsWith('at 37.5 kimg'), picture().alt);
  check('samples only at first', all('#samples img').length === 2);
  button('Scores', one('#samples')).click();
  check('side by side', all('#samples img').length === 4);
  button('Play').click();
  await sleep(1300);
  check('plays', picture().alt.endsWith('at 62.5 kimg') && Boolean(button('Pause')), picture().alt);
  button('Pause').click();
  await sleep(1300);
  check('pauses', picture().alt.endsWith('at 62.5 kimg'), picture().alt);

  // Configuration and theme.
  const rows = () => all('#settings tbody tr:not(.band)').map(r => r.cells[0].textContent);
  const band = one('#settings .band').textContent;
  check('what differs comes first', rows()[0] === 'tigas-weight' && band.startsWith('Different'), rows());
  check('defaults are folded', !rows().includes('batch'));
  const search = one('input[type=search]');
  search.value = 'BATCH';
  search.dispatchEvent(new Event('input', {bubbles: true}));
  check('search', rows().join() === 'batch', rows());
  search.value = '';
  search.dispatchEvent(new Event('input', {bubbles: true}));
  button('defaults').click();
  check('unfolded', rows().includes('batch'), rows());
  const light = getComputedStyle(document.body).backgroundColor, line = drawn('r1');
  one('#theme').click();
  await frame();
  check('theme', getComputedStyle(document.body).backgroundColor !== light && document.documentElement.dataset.theme === 'dark');
  check('theme of charts', drawn('r1') !== line);
  one('#theme').click();

  // A phone.
  const phone = document.createElement('iframe');
  phone.width = 360;
  phone.height = 800;
  phone.src = 'plain.html';
  const loaded = new Promise(r => phone.addEventListener('load', r));
  document.body.append(phone);
  await loaded;
  await sleep(200);
  const inner = phone.contentDocument;
  const wide = all('body *', inner).filter(e => e.getBoundingClientRect().right > 361 && !e.closest('.unseen'));
  const names = wide.map(e => e.tagName + '.' + e.className);
  check('a phone scrolls in one direction', inner.documentElement.scrollWidth <= 360, names);
  check('and has charts', all('.chart', inner).length === given.charts.length);
});
