package diagnose

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// num is a number to read.
func num(x float64) string { return fmt.Sprintf("%.3g", x) }

// at is a moment of the run to read.
func at(kimg float64) string {
	if math.Abs(kimg) > 1e9 {
		return "kimg " + num(kimg)
	}
	return "kimg " + strings.TrimSuffix(strconv.FormatFloat(kimg, 'f', 1, 64), ".0")
}

// three is a score to read.
func three(x float64) string {
	if math.Abs(x) < 1000 {
		return fmt.Sprintf("%.3f", x)
	}
	return num(x)
}

// flag is a number for a command line, with one digit that counts.
func flag(x float64) string {
	if x <= 0 || !finite(x) {
		return "0"
	}
	return strconv.FormatFloat(round(x), 'g', -1, 64)
}

func round(x float64) float64 {
	x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'e', 0, 64), 64)
	return x
}

// clean is a name of the log, which may be anybody's file, in one short line.
func clean(name string) string {
	const most = 40
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, strings.ToValidUTF8(name, "?"))
	if r := []rune(name); len(r) > most {
		name = string(r[:most]) + "..."
	}
	return name
}

// percent is a share to read.
func percent(share float64) string { return fmt.Sprintf("%.0f %%", 100*share) }

// mostWeight is the weight above which the term is called large when a run begins: trainers.WeightAdvice and its
// counterparts for the other families.
func (v *view) mostWeight() float64 {
	switch v.Family {
	case "vae":
		return 0.4
	case "diffusion":
		return 0.1
	}
	return 0.2
}

// usualWeight is the highest weight that the recipe's table gives a family.
func (v *view) usualWeight() float64 {
	switch v.Family {
	case "vae":
		return 0.2
	case "diffusion":
		return 0.05
	}
	return 0.1
}

// lighter is the flag for a share of the weight, "" without a term.
func (v *view) lighter(share float64) string {
	if v.Weight == 0 {
		return ""
	}
	return "--tigas-weight " + flag(v.Weight*share)
}

// slower is the flag for half of the learning rate of a network, and a quarter when the run has gone back with half of it
// already. The log of StyleGAN has the rate of one update, which is a little lower than the flag's.
func (v *view) slower(net string) string {
	name := "--lr"
	if v.Family == "gan" || v.Family == "stylegan" {
		if name = "--g-lr"; strings.HasPrefix(net, "D") {
			name, net = "--d-lr", "D"
		} else {
			net = "G"
		}
	}
	rate := v.at("lr_" + net).highest()
	if !finite(rate) || rate <= 0 {
		return "half of " + name
	}
	return name + " " + flag(math.Ldexp(rate, -1-min(len(v.rewinds), 3)))
}

// clipper is the flag that limits the norm of a network's gradient to twice of what is usual, "" where that does not exist
// or is done already.
func (v *view) clipper(net string, usual float64) string {
	switch v.Family {
	case "gan":
		if strings.HasPrefix(net, "D") {
			return "" // the flag is for the generator
		}
	case "vae", "diffusion":
	default:
		return ""
	}
	limit := 2 * usual
	if !finite(limit) || limit <= 0 || v.ClipGrad > 0 && v.ClipGrad <= limit {
		return ""
	}
	return "--clip-grad " + flag(limit)
}

// list joins what is not empty.
func list(separator string, parts ...string) string {
	var l []string
	for _, p := range parts {
		if p != "" {
			l = append(l, p)
		}
	}
	return strings.Join(l, separator)
}
