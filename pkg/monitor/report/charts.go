package report

import (
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// chart is a picture of one or more values that have a scale in common.
type chart struct {
	ID    string   `json:"id"` // the same from one load to the next
	Panel string   `json:"panel"`
	Title string   `json:"title"`
	Names []string `json:"names"`
	Unit  bool     `json:"unit,omitempty"`  // from 0 to 1
	Log   bool     `json:"log,omitempty"`   // may have a logarithmic scale
	Wide  bool     `json:"wide,omitempty"`  //
	Stack bool     `json:"stack,omitempty"` // areas on each other
	Run   *int     `json:"run,omitempty"`   // of this run only
	Note  string   `json:"note,omitempty"`  // how to read it
}

// together are the values that are read against each other. Those for one run only would be too many lines for several.
var together = []struct {
	title  string
	single bool
	names  []string // one with a star is any that ends, or begins, so
}{
	{"samples, real pictures and batches in training", true, []string{"sample_score", "data_score", "sample_score_perturbed",
		"data_score_perturbed", "score", "epoch_score"}},
	{"fixed samples and real pictures", false, []string{"sample_score", "data_score"}},
	{"blurred or compressed a little", false, []string{"sample_score_perturbed", "data_score_perturbed"}},
	{"batches in training", false, []string{"score", "epoch_score"}},
	{"diversity", false, []string{"sample_diversity", "data_diversity"}},
	{"fine detail", false, []string{"sample_detail", "data_detail"}},
	{"generator and critic", false, []string{"G", "D"}},
	{"mean squared error by timestep", true, []string{"mse", "mse_q*"}},
	{"output for real and for generated pictures", false, []string{"scores_real", "scores_fake"}},
	{"norm of the gradient, by network", true, []string{"*_grad_norm"}},
	{"learning rate, by network", true, []string{"lr_*"}},
	{"in tensors, and kept for them, MiB", true, []string{monitor.GPUReserved, monitor.GPUPeak, monitor.GPUAllocated}},
}

// charts decides what is drawn together, in the order of the panels. names are those of all runs, and timed the runs that
// have times of a step.
func charts(names []string, timed []int, runs []Run) []chart {
	single := len(readable(runs)) == 1
	var all []chart
	for _, panel := range monitor.Panels() {
		var left []string
		for _, name := range names {
			if monitor.QuantityOf(name).Panel == panel {
				left = append(left, name)
			}
		}
		if panel == monitor.PanelTime {
			all = append(all, timeCharts(left, timed, runs)...)
			continue
		}
		add := func(title string, names []string) {
			all = append(all, chart{
				ID: names[0], Panel: string(panel), Title: title, Names: names,
				Unit: panel == monitor.PanelScore,
				Log:  panel == monitor.PanelLoss || panel == monitor.PanelGradient,
				Wide: panel == monitor.PanelScore && single,
			})
		}
		for len(left) > 0 {
			title, group := groupOf(left[0], left, single)
			left = slices.DeleteFunc(left, func(name string) bool { return slices.Contains(group, name) })
			if len(group) == 1 {
				title = monitor.QuantityOf(group[0]).Title
				if title == group[0] { // a name that is not known
					add(title, group)
					continue
				}
			}
			add(strings.ToUpper(title[:1])+title[1:], group) // all begin with a letter of ASCII
		}
	}
	return all
}

// groupOf is a name with those of its group that there are, in the order of the group.
func groupOf(name string, names []string, single bool) (title string, group []string) {
	for _, t := range together {
		if t.single && !single || !slices.ContainsFunc(t.names, func(p string) bool { return fits(p, name) }) {
			continue
		}
		for _, p := range t.names {
			for _, n := range names {
				if fits(p, n) {
					group = append(group, n)
				}
			}
		}
		return t.title, group
	}
	return "", []string{name}
}

func fits(pattern, name string) bool {
	if end, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(name, end)
	}
	if begin, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(name, begin)
	}
	return name == pattern
}

// timeCharts have one stack a run.
func timeCharts(phases []string, timed []int, runs []Run) []chart {
	if len(phases) == 0 {
		return nil
	}
	var all []chart
	single, labels := len(readable(runs)) == 1, names(runs)
	for _, i := range timed {
		c := chart{ID: "time", Panel: string(monitor.PanelTime), Names: phases, Stack: true, Wide: true, Run: &i}
		c.Title = "Seconds, by what they are spent on"
		if !single {
			c.ID += "-" + ids(runs)[i]
			c.Title = labels[i]
		}
		all = append(all, c)
	}
	return all
}
