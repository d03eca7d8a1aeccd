drive(async () => {
  const until = async (what, ok) => {
    for (let i = 0; i < 200 && !ok(); i++) await sleep(100);
    check(what, ok(), one('#notice').textContent);
  };
  const server = state => fetch('test/' + state);
  const shown = () => document.title;
  await until('a run without a line', () => shown() === '0 kimg live' && one('.chip').textContent === 'waiting');
  check('its story', one('.story p').textContent.includes('no line'), one('.story p').textContent);
  check('no charts yet', one('#charts').hidden && one('#findings').hidden && one('#samples').hidden);
  await server('first');
  await until('the first data', () => shown() === '50 kimg live');
  check('how often', one('#when').title.includes('every 2 s'));
  check('running', one('.chip').textContent.startsWith('running since'), one('.chip').textContent);
  await until('a picture', () => one('#samples img') && one('#samples img').naturalWidth === 136);

  const slider = one('#samples input[type=range]');
  slider.value = 1;
  slider.dispatchEvent(new Event('input', {bubbles: true}));
  const plot = one('#chart-r1 .plot');
  await drag(plot, 0.2, 0.6);
  check('zoomed', !button('Reset zoom').hidden);
  one('input[type=search]').value = 'seed';
  plot.focus();

  await server('more');
  await until('more data', () => shown() === '75 kimg live');
  check('the zoom is kept', !button('Reset zoom').hidden);
  pointer('pointermove', plot, 0.001);
  key(plot, 'ArrowRight');
  const from = parseFloat(one('#spoken').textContent);
  check('the range is kept', from >= 10 && from < 11, from);
  const {alt} = one('#samples img');
  check('the slider is kept', slider.isConnected && slider.value === '1' && alt.endsWith('at 12.5 kimg'), alt);
  check('and has more places', slider.max === '6', slider.max);
  check('the search is kept', one('input[type=search]').value === 'seed');
  check('the focus is kept', document.activeElement === plot);

  await server('wrong');
  const notice = one('#notice');
  await until('an error of load', () => notice.textContent === 'log.jsonl: line 7: <b>not</b> valid json' && !notice.hidden);
  check('the page stays', all('.chart').length > 10);
  await server('bad');
  await until('a run that cannot be read', () => one('.run.bad') && shown() === 'live');
  check('is all there is', one('#charts').hidden && one('#samples').hidden && one('#settings').hidden && notice.hidden &&
    one('.why').textContent === 'config.json: gone');
  await server('down');
  await until('connection lost', () => one('#notice').textContent.startsWith('The connection is lost'));
  await server('more');
  await until('back again', () => one('#notice').hidden);
  check('data as before', shown() === '75 kimg live');
});
