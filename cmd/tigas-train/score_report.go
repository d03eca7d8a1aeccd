package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"

	"github.com/tigas-train/tigas-train/pkg/monitor"
	"github.com/tigas-train/tigas-train/pkg/tigas"
)

// Values of --sort.
const (
	sortScore = "score"
	sortPath  = "path"
	sortNone  = "none"
)

// scoreJSON is what --json writes. Statistics have upstream's names and count the pictures of a grid one by one.
type scoreJSON struct {
	Model      scoreModel       `json:"model"`
	Threshold  float64          `json:"threshold"`
	Statistics *scoreStatistics `json:"statistics"` // null without a score
	Results    []scored         `json:"results"`
	Mean       *float64         `json:"mean"`
	Count      int              `json:"count"`
	Failed     int              `json:"failed"`
	Stopped    bool             `json:"stopped,omitempty"` // interrupted: not all files are in Results
}

type scoreModel struct {
	Name      string `json:"name"`
	SHA256    string `json:"sha256"`
	ImageSize int    `json:"image_size"` // that pictures were scaled to
}

type scoreStatistics struct {
	TotalImages    int     `json:"total_images"`
	MeanScore      float64 `json:"mean_score"`
	StdScore       float64 `json:"std_score"`
	MinScore       float64 `json:"min_score"`
	MaxScore       float64 `json:"max_score"`
	MedianScore    float64 `json:"median_score"`
	Q25Score       float64 `json:"q25_score"`
	Q75Score       float64 `json:"q75_score"`
	PredictedReal  int     `json:"predicted_real"`
	PredictedFake  int     `json:"predicted_fake"`
	RealPercentage float64 `json:"real_percentage"`
	FakePercentage float64 `json:"fake_percentage"`
}

// pictureScores are the scores of all pictures.
func pictureScores(l []scored) (scores []float64) {
	for _, r := range l {
		scores = append(scores, r.each...)
	}
	return scores
}

// statisticsOf returns nil without scores.
func statisticsOf(scores []float64, threshold float64) *scoreStatistics {
	if len(scores) == 0 {
		return nil
	}
	s := monitor.Summarize(scores)
	real := 0
	for _, v := range scores {
		if v > threshold {
			real++
		}
	}
	percent := func(k int) float64 { return 100 * float64(k) / float64(s.N) }
	return &scoreStatistics{TotalImages: s.N, MeanScore: s.Mean, StdScore: s.Std, MinScore: s.Min, MaxScore: s.Max,
		MedianScore: s.Median, Q25Score: s.Q25, Q75Score: s.Q75, PredictedReal: real, PredictedFake: s.N - real,
		RealPercentage: percent(real), FakePercentage: percent(s.N - real)}
}

// arrange sorts the files; those without a score come last.
func (s *scoreCommand) arrange(l []scored) {
	slices.SortStableFunc(l, func(a, b scored) int {
		switch {
		case s.Sort == sortNone:
			return 0
		case s.Sort == sortPath:
			return cmp.Compare(a.Path, b.Path)
		case a.Score == nil || b.Score == nil:
			return cmp.Compare(b2i(a.Score == nil), b2i(b.Score == nil))
		}
		return cmp.Compare(*b.Score, *a.Score)
	})
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// report prints the result first and draws afterwards: a plot that fails costs nothing but the plot.
func (s *scoreCommand) report(d *tigas.Detector, l []scored, files int) error {
	s.arrange(l)
	stats := statisticsOf(pictureScores(l), s.Threshold)
	result := scoreJSON{Model: scoreModel{d.Name, d.SHA256, s.Size}, Threshold: s.Threshold, Statistics: stats, Results: l, Stopped: len(l) < files}
	if stats != nil {
		result.Mean, result.Count = &stats.MeanScore, stats.TotalImages
	}
	for _, r := range l {
		result.Failed += b2i(r.Score == nil)
	}
	write := func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		e.SetEscapeHTML(false)
		return e.Encode(result)
	}
	var errs []error
	if s.JSON == "-" {
		errs = append(errs, write(s.out))
	} else {
		errs = append(errs, s.table(l, result))
	}
	if s.JSON != "" && s.JSON != "-" {
		errs = append(errs, s.wrote(s.JSON, monitor.WriteFile(s.JSON, write)))
	}
	if stats != nil {
		errs = append(errs, s.figures(d, l))
	}
	return coded(exitOutput, errors.Join(errs...))
}

// table prints a line for each file, or for the highest and lowest of them, and one about all.
func (s *scoreCommand) table(l []scored, result scoreJSON) error {
	var b strings.Builder
	var good, bad []scored
	for _, r := range l {
		if r.Score == nil {
			bad = append(bad, r)
		} else {
			good = append(good, r)
		}
	}
	if top := s.ShowTop; top > 0 && len(good) > 2*top {
		byScore := slices.Clone(good)
		slices.SortStableFunc(byScore, func(a, b scored) int { return cmp.Compare(*b.Score, *a.Score) })
		fmt.Fprintf(&b, "the %d most real\n", top)
		lines(&b, byScore[:top])
		fmt.Fprintf(&b, "the %d most fake\n", top)
		lines(&b, byScore[len(byScore)-top:])
		lines(&b, bad)
	} else if s.Sort == sortScore {
		lines(&b, append(good, bad...))
	} else {
		lines(&b, l)
	}
	if t := result.Statistics; t != nil {
		fmt.Fprintf(&b, "%s: mean %.4f, std %.4f, median %.4f; %d real, %d fake at %g", count(t.TotalImages, "picture"),
			t.MeanScore, t.StdScore, t.MedianScore, t.PredictedReal, t.PredictedFake, s.Threshold)
		if result.Failed > 0 {
			fmt.Fprintf(&b, "; %s not scored", count(result.Failed, "file"))
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(s.out, b.String())
	return err
}

func lines(b *strings.Builder, l []scored) {
	for _, r := range l {
		path := monitor.Printable(filepath.ToSlash(r.Path))
		if r.Score == nil {
			fmt.Fprintf(b, "   -    %-13s  %s: %s\n", "not scored", path, monitor.Printable(r.Error))
			continue
		}
		note := ""
		if r.Pictures > 1 {
			note = fmt.Sprintf("  (mean of %d)", r.Pictures)
		}
		fmt.Fprintf(b, "%.4f  %-13s  %s%s\n", *r.Score, r.Verdict, path, note)
	}
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// jsonArgument gives --json of `score` the file that follows it, if it is one: a flag that may stand alone takes its value
// only after an equals sign otherwise. Nothing but a .json file or - is taken, so that no picture is written over.
func jsonArgument(args []string) []string {
	if len(args) == 0 || args[0] != "score" {
		return args
	}
	for i, a := range args {
		if a == "--" {
			break
		}
		if a == "--json" && i+1 < len(args) && (args[i+1] == "-" || strings.EqualFold(filepath.Ext(args[i+1]), ".json")) {
			return slices.Concat(args[:i], []string{"--json=" + args[i+1]}, args[i+2:])
		}
	}
	return args
}
