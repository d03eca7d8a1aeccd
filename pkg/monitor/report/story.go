package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/tigas-train/tigas-train/pkg/monitor"
)

// score is the key figure of a run: how the detector judged its pictures at first and at last.
type score struct {
	Of          string // sample_score where there is one, else score
	First, Last float64
	From        float64 // kimg of the first
	Real        float64 // of real pictures; NaN: not known
	N           int     // how often it was measured
}

// scoreOf is nil for a run without a detector.
func scoreOf(cols map[string]*column, entries []monitor.LogEntry) *score {
	for _, name := range []string{"sample_score", "score"} {
		c := cols[name]
		first, last, ok := c.ends()
		if !ok {
			continue
		}
		s := &score{Of: name, First: first, Last: last, Real: math.NaN()}
		for k, v := range c.V {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				continue
			}
			if s.N++; s.N == 1 {
				s.From = entries[c.At[k]].Kimg
			}
		}
		if _, real, ok := cols["data_score"].ends(); ok {
			s.Real = real
		}
		return s
	}
	return nil
}

// near is so close to the score of real pictures that samples could hardly be better.
const near = 0.05

// doubt says by the title of a finding why the score is not to be trusted.
func (s *score) doubt(findings []Finding) (title string, found bool) {
	for _, f := range findings {
		if f.Rule == "detector-fooled" || f.Rule == "weight-too-large" && s.Last >= s.Real-near {
			return f.Title, true
		}
	}
	return "", false
}

// story says what happened in a few sentences, for somebody who has not seen the project before. What is wrong comes first.
// Where it is not live, it is read later than it is written.
func story(r Run, state string, entries []monitor.LogEntry, s *score, live bool) []string {
	switch {
	case state == stateUnreadable:
		return []string{}
	case len(entries) == 0 && state == stateInterrupted:
		return []string{model(r.Family) + " was started, and ended before it wrote a line to its log."}
	case len(entries) == 0:
		return []string{model(r.Family) + " was started. It has written no line to its log yet."}
	}
	return []string{course(r, state, entries, live), scoreSentence(s, r), count(r.Findings)}
}

// wrong are the problems, as the end of a sentence after that word.
func wrong(findings []Finding, word string) string {
	var titles []string
	for _, f := range findings {
		if f.Severity == "problem" && f.Title != "" {
			titles = append(titles, strings.TrimRight(f.Title, ". "))
		}
	}
	if len(titles) == 0 {
		return ""
	}
	return word + strings.Join(titles, "; ")
}

func model(family string) string {
	switch family {
	case "gan":
		return "A GAN"
	case "stylegan":
		return "A StyleGAN"
	case "vae":
		return "A variational autoencoder"
	case "diffusion":
		return "A diffusion model"
	}
	return "A model"
}

// course says how far the run has come, and what is wrong with it.
func course(r Run, state string, entries []monitor.LogEntry, live bool) string {
	last := entries[len(entries)-1]
	seen := fmt.Sprintf("%s thousand pictures", short(last.Kimg))
	if last.Epoch >= 0.1 {
		seen += fmt.Sprintf(" (%s passes over the data)", short(last.Epoch))
	}
	if r.Total > last.Kimg && state != stateFinished {
		seen += fmt.Sprintf(" of %s thousand", short(r.Total))
	}
	took := monitor.Duration(last.Elapsed.Round(time.Second))
	switch state {
	case stateFinished:
		return fmt.Sprintf("%s was trained on %s in %s, to the end as planned%s.", model(r.Family), seen, took,
			wrong(r.Findings, ", but: "))
	case stateRunning:
		text, toGo := "%s is being trained: it has seen %s", ", and has about %s to go"
		if !live {
			text, toGo = "%s was being trained when this was written: it had seen %s", ", and had about %s to go"
		}
		text = fmt.Sprintf(text, model(r.Family), seen)
		if v := speed(entries); r.Total > last.Kimg && v > 0 {
			text += fmt.Sprintf(toGo, about((r.Total-last.Kimg)*1000/v))
		}
		return text + wrong(r.Findings, ", but: ") + "."
	}
	return fmt.Sprintf("%s was trained on %s in %s, then the run stopped before its end%s. It can be resumed.",
		model(r.Family), seen, took, wrong(r.Findings, "; and something is wrong: "))
}

// speed is the images a second of late, with the time that pictures and snapshots take: over a quarter of the log, and not
// of what was before the run was resumed.
func speed(entries []monitor.LogEntry) float64 {
	last := len(entries) - 1
	first := last
	for first > 0 && last-first < max(10, last/4) && entries[first-1].Elapsed <= entries[first].Elapsed {
		first--
	}
	sec := (entries[last].Elapsed - entries[first].Elapsed).Seconds()
	if !(sec > 0) {
		return max(0, entries[last].Rate)
	}
	return (entries[last].Kimg - entries[first].Kimg) * 1000 / sec
}

const (
	// Less than littleRise may be chance: of 64 samples of one network the mean moves by some hundredths.
	littleRise = 0.05
	fewTimes   = 3
	fewSamples = 16
)

// scoreSentence says whether the samples came to look more real. What is little, uncertain or goes with a problem is not told
// as success.
func scoreSentence(s *score, r Run) string {
	if s == nil {
		return "There is no TIGAS score in the log: no detector judged the samples."
	}
	of := "The TIGAS score of its samples"
	if s.Of == "score" {
		of = "The TIGAS score of the pictures it makes in training"
	}
	samples := r.samples()
	few := ""
	switch {
	case s.N < fewTimes:
		few = ", measured only " + map[bool]string{true: "twice", false: "once"}[s.N == 2]
	case s.Of == "sample_score" && samples > 0 && samples < fewSamples:
		few = fmt.Sprintf(", which are only %d", samples)
	}
	text := ""
	switch d := s.Last - s.First; {
	case s.N == 1:
		text = fmt.Sprintf("%s is %.2f", of, s.Last)
	case math.Abs(d) < 0.02:
		text = fmt.Sprintf("%s stayed at about %.2f", of, s.Last)
	case math.Abs(d) < littleRise:
		text = fmt.Sprintf("%s changed little, from %.2f to %.2f", of, s.First, s.Last)
	case d < 0:
		text = fmt.Sprintf("%s fell from %.2f to %.2f", of, s.First, s.Last)
	case few != "" || wrong(r.Findings, "-") != "":
		text = fmt.Sprintf("%s went from %.2f to %.2f", of, s.First, s.Last)
	default:
		text = fmt.Sprintf("%s rose from %.2f to %.2f", of, s.First, s.Last)
	}
	text += few
	if !math.IsNaN(s.Real) {
		text += fmt.Sprintf("; real pictures score %.2f", s.Real)
	}
	if title, ok := s.doubt(r.Findings); ok {
		text += ". This score is not to be trusted: " + strings.TrimRight(title, ". ")
	}
	return text + "."
}

// samples is how many fixed samples there are, 0 when that is not known.
func (r Run) samples() int {
	for _, s := range r.Settings {
		if s.Name == "grid" {
			n, _ := strconv.Atoi(s.Value)
			return n * n
		}
	}
	return 0
}

// count says how many findings there are.
func count(findings []Finding) string {
	n := map[string]int{}
	for _, f := range findings {
		n[f.Severity]++
	}
	var parts []string
	for _, kind := range []struct{ severity, one, more string }{
		{"problem", "one problem", "problems"}, {"warning", "one warning", "warnings"}, {"info", "one remark", "remarks"},
	} {
		switch k := n[kind.severity]; {
		case k == 1:
			parts = append(parts, kind.one)
		case k > 1:
			parts = append(parts, fmt.Sprint(k, " ", kind.more))
		}
	}
	if len(parts) == 0 {
		return "The log shows no problems."
	}
	text := parts[len(parts)-1]
	if rest := parts[:len(parts)-1]; len(rest) > 0 {
		text = strings.Join(rest, ", ") + " and " + text
	}
	return fmt.Sprintf("The log shows %s, listed below.", text)
}

// short has as many digits as one wants to read.
func short(v float64) string {
	switch a := math.Abs(v); {
	case a >= 100:
		return fmt.Sprintf("%.0f", v)
	case a >= 1:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
	}
	return fmt.Sprintf("%.2g", v)
}

// about is a time to go, which nobody knows to the second.
func about(sec float64) string {
	switch {
	case sec < 7.5:
		return "5 seconds"
	case sec < 90:
		return fmt.Sprintf("%.0f seconds", math.Round(sec/5)*5)
	case sec < 90*60:
		return fmt.Sprintf("%.0f minutes", sec/60)
	case sec < 48*3600:
		return fmt.Sprintf("%.0f hours", sec/3600)
	}
	return fmt.Sprintf("%.0f days", sec/86400)
}
