package monitor

import (
	"fmt"
	"math"
	"strings"
	"unicode"
	"unicode/utf8"
)

// tickLine is the line of one tick, in columns like those of stylegan2-ada, which people and their scripts know.
func tickLine(t Tick) string {
	var b strings.Builder
	fmt.Fprintf(&b, "tick %-5d kimg %-8.1f time %-12s sec/tick %-7.1f sec/kimg %-7s",
		t.Tick, float64(t.Images)/1000, FormatDuration(t.Elapsed), t.TickTime.Seconds(), secPerKimg(t))
	for _, r := range t.Resources {
		fmt.Fprintf(&b, " %s %-6.2f", printable(r.Name), r.Value)
	}
	fmt.Fprintf(&b, " img/s %-7.1f", t.ImgPerSec)
	for _, f := range values(t) {
		b.WriteString(" " + f)
	}
	if t.ETA >= 0 {
		b.WriteString(" eta " + FormatDuration(t.ETA))
	}
	return b.String()
}

// liveFields are the parts of the live line, the most important first, because a narrow terminal shows only some.
func liveFields(t Tick) []string {
	kimg := fmt.Sprintf("kimg %.1f", float64(t.Images)/1000)
	if t.TotalImages > 0 {
		kimg += fmt.Sprintf("/%.1f (%.0f%%)", float64(t.TotalImages)/1000,
			math.Floor(100*float64(t.Images)/float64(t.TotalImages)))
	}
	fields := []string{kimg}
	if t.ETA >= 0 {
		fields = append(fields, "eta "+FormatDuration(t.ETA))
	}
	fields = append(fields, fmt.Sprintf("img/s %.1f", t.ImgPerSec), fmt.Sprintf("step %d", t.Step))
	return append(fields, values(t)...)
}

// values are the terms, the score and the weight.
func values(t Tick) []string {
	var fields []string
	for _, v := range t.Terms {
		fields = append(fields, printable(v.Name)+" "+number(v.Value))
	}
	if t.Score != nil {
		fields = append(fields, "score "+number(*t.Score))
	}
	if t.Weight != nil {
		fields = append(fields, fmt.Sprintf("weight %.3g", *t.Weight))
	}
	return fields
}

// number writes a loss with three decimals, or with an exponent where those would hide it.
func number(v float64) string {
	a := math.Abs(v)
	if a != 0 && (a < 0.001 || a >= 1e6) && !math.IsInf(v, 0) {
		return fmt.Sprintf("%.3g", v)
	}
	return fmt.Sprintf("%.3f", v)
}

func secPerKimg(t Tick) string {
	if t.ImgPerSec <= 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", 1000/t.ImgPerSec)
}

// fit joins as many whole fields as fit in width columns. At least the first is used, cut if need be.
func fit(fields []string, width int) string {
	var line string
	for i, f := range fields {
		if i > 0 {
			f = "  " + f
		}
		if utf8.RuneCountInString(line)+utf8.RuneCountInString(f) > width {
			if i == 0 {
				return string([]rune(f)[:max(width, 0)])
			}
			break
		}
		line += f
	}
	return line
}

// printable replaces control characters: names and messages can come from files, and must not steer the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return '?'
		}
		return r
	}, s)
}
