package monitor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The innermost phase is counted, the one around it pauses, and what lies between two steps belongs to none.
func TestPhases(t *testing.T) {
	at := time.Unix(0, 0)
	p := Phases{now: func() time.Time { return at }}
	pass := func(sec int) { at = at.Add(time.Duration(sec) * time.Second) }
	for range 2 {
		step := p.Begin("other")
		pass(1)
		d := p.Begin("D")
		pass(10)
		data := p.Begin("data")
		pass(100)
		data()
		pass(20)
		d()
		pass(2)
		step()
		pass(1000)
	}
	want := []Spent{{"other", 6 * time.Second}, {"D", 60 * time.Second}, {"data", 200 * time.Second}}
	require.Equal(t, want, p.Total())
	require.Equal(t, want, p.Take())
	require.Empty(t, p.Take())

	// A phase that is left without its end, by a panic that somebody caught, ends with the one around it.
	step := p.Begin("other")
	lost := p.Begin("D")
	pass(5)
	step()
	lost()
	p.Begin("G")()
	pass(7)
	require.Equal(t, []Spent{{"other", 0}, {"D", 5 * time.Second}, {"G", 0}}, p.Take())
	require.Equal(t, []Spent{{"other", 6 * time.Second}, {"D", 65 * time.Second}, {"data", 200 * time.Second}, {"G", 0}}, p.Total())
	require.Equal(t, "data 74 %, D 24 %, other 2 %", Breakdown(p.Total()))
	require.Empty(t, Breakdown(nil))
}

// Every quantity has a tag and a title of its own, and the panels are those that are listed.
func TestQuantities(t *testing.T) {
	tags, panels := map[string]string{}, map[Panel]bool{}
	for _, p := range Panels() {
		panels[p] = true
	}
	names := []string{"lr_G", "G_path_grad_norm", "skipped_D", "scale_D", "sec_tigas", "something"}
	for _, q := range quantities {
		names = append(names, q.Name)
	}
	for _, name := range names {
		q := QuantityOf(name)
		require.Equal(t, name, q.Name)
		require.NotEmpty(t, q.Title)
		require.True(t, panels[q.Panel], name)
		require.Empty(t, tags[q.Tag], "%s and %s have one tag", name, tags[q.Tag])
		tags[q.Tag] = name
	}
	require.Equal(t, Quantity{"lr_G", "LR/G", "learning rate of G", PanelRate}, QuantityOf("lr_G"))
	require.Equal(t, "Grad/G_path_norm", QuantityOf("G_path_grad_norm").Tag)
	require.Equal(t, "Generator/TIGAS_score", QuantityOf("epoch_score").Tag, "the recipe's")
}
