// Pointer and keys on a chart.

// listen lets the pointer and the keys move the crosshair, choose a range and reset it.
function listen(chart) {
  const {plot, charts} = chart;
  const at = e => {
    const px = e.clientX - plot.getBoundingClientRect().left;
    return chart.atPixel(Math.max(margin.left, Math.min(chart.width - margin.right, px)));
  };
  plot.addEventListener('pointermove', e => {
    if (charts.drag) charts.drag.to = at(e);
    charts.setHover({x: at(e), chart});
  });
  plot.addEventListener('pointerleave', () => { if (!charts.drag) charts.setHover(null); });
  plot.addEventListener('pointerdown', e => {
    if (e.button !== 0) return;
    charts.drag = {from: at(e), to: at(e), chart, px: e.clientX};
    try { plot.setPointerCapture(e.pointerId); } catch { /* a pointer that is gone */ }
  });
  plot.addEventListener('pointerup', e => {
    const {drag} = charts;
    charts.drag = null;
    if (drag && Math.abs(e.clientX - drag.px) > 5) charts.zoom(Math.min(drag.from, drag.to), Math.max(drag.from, drag.to));
    charts.over();
  });
  plot.addEventListener('pointercancel', () => {
    charts.drag = null;
    charts.setHover(null);
  });
  plot.addEventListener('dblclick', () => charts.zoom(null));
  plot.addEventListener('blur', () => charts.setHover(null));
  plot.addEventListener('keydown', e => keydown(chart, e));
}

// keydown moves the crosshair from entry to entry, zooms and resets.
function keydown(chart, e) {
  const {charts} = chart, x = charts.hover ? charts.hover.x : chart.x1, span = chart.x1 - chart.x0;
  const xs = (chart.spec.stack ? chart.runs[0] : chart.lines[0]?.run)?.x[charts.axis];
  if (!xs || e.altKey || e.ctrlKey || e.metaKey) return;
  if (e.key === 'ArrowLeft' || e.key === 'ArrowRight') {
    const k = nearest(xs.length, i => xs[i], x) + (!charts.hover ? 0 : e.key === 'ArrowLeft' ? -1 : 1);
    charts.setHover({x: xs[Math.max(0, Math.min(xs.length - 1, k))], chart});
    chart.values(charts.hover, () => {});
    $('spoken').textContent = `${whereText(charts.axis, charts.hover.x)}: ` +
      chart.cells.map(c => `${c.line.name} ${c.td.textContent}`).join(', ');
  } else if (e.key === '+' || e.key === '=') charts.zoom(Math.max(chart.x0, x - span / 4), Math.min(chart.x1, x + span / 4));
  else if (e.key === '-') charts.zoom(chart.x0 - span / 2, chart.x1 + span / 2);
  else if (e.key === '0' || e.key === 'Escape') charts.zoom(null);
  else return;
  e.preventDefault();
}
