package report

import (
	"fmt"
	"math"
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
			if v == first {
				s.From = entries[c.At[k]].Kimg
				break
			}
		}
		if _, real, ok := cols["data_score"].ends(); ok {
			s.Real = real
		}
		return s
	}
	return nil
}

// story says what happened in a few sentences, for somebody who has not seen the project before.
func story(r Run, state string, entries []monitor.LogEntry, s *score) []string {
	if len(entries) == 0 {
		return []string{model(r.Family) + " was started. It has written no line to its log yet."}
	}
	return []string{course(r, state, entries[len(entries)-1]), scoreSentence(s), count(r.Findings)}
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

// course says how far the run has come.
func course(r Run, state string, last monitor.LogEntry) string {
	seen := fmt.Sprintf("%s thousand pictures", short(last.Kimg))
	if last.Epoch >= 0.1 {
		seen += fmt.Sprintf(" (%s passes over the data)", short(last.Epoch))
	}
	took := monitor.Duration(last.Elapsed.Round(time.Second))
	switch state {
	case stateFinished:
		return fmt.Sprintf("%s was trained on %s in %s, to the end as planned.", model(r.Family), seen, took)
	case stateRunning:
		s := fmt.Sprintf("%s is being trained: it has seen %s", model(r.Family), seen)
		if r.Total > last.Kimg {
			s += fmt.Sprintf(" of %s thousand", short(r.Total))
			if last.Rate > 0 {
				s += ", and has about " + about((r.Total-last.Kimg)*1000/last.Rate) + " to go"
			}
		}
		return s + "."
	}
	if r.Total > last.Kimg {
		seen += fmt.Sprintf(" of %s thousand", short(r.Total))
	}
	return fmt.Sprintf("%s was trained on %s in %s, then the run stopped before its end. It can be resumed.",
		model(r.Family), seen, took)
}

// scoreSentence says whether the samples came to look more real.
func scoreSentence(s *score) string {
	if s == nil {
		return "There is no TIGAS score in the log: no detector judged the samples."
	}
	of := "The TIGAS score of its samples"
	if s.Of == "score" {
		of = "The TIGAS score of the pictures it makes in training"
	}
	text := fmt.Sprintf("%s stayed at about %.2f", of, s.Last)
	if d := s.Last - s.First; math.Abs(d) >= 0.02 {
		verb := "rose"
		if d < 0 {
			verb = "fell"
		}
		text = fmt.Sprintf("%s %s from %.2f to %.2f", of, verb, s.First, s.Last)
	}
	if !math.IsNaN(s.Real) {
		text += fmt.Sprintf("; real pictures score %.2f", s.Real)
	}
	return text + "."
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
	case sec < 90:
		return "a minute"
	case sec < 90*60:
		return fmt.Sprintf("%.0f minutes", sec/60)
	case sec < 48*3600:
		return fmt.Sprintf("%.0f hours", sec/3600)
	}
	return fmt.Sprintf("%.0f days", sec/86400)
}
