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
func flag(x float64) string { return significant(x, 1) }

// significant is a number for a command line.
func significant(x float64, digits int) string {
	if x <= 0 || !finite(x) {
		return "0"
	}
	return strconv.FormatFloat(round(x, digits), 'g', -1, 64)
}

func round(x float64, digits int) float64 {
	x, _ = strconv.ParseFloat(strconv.FormatFloat(x, 'e', digits-1, 64), 64)
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

// lighter is the flag for a share of the weight, "" without a term. From above the usual range it leads into it at once:
// half of 50 is no better than 50, and every finding is to name the same way.
func (v *view) lighter(share float64) string {
	if v.Weight == 0 {
		return ""
	}
	w := v.Weight * share
	if v.Weight > v.usualWeight() {
		w = min(w, v.usualWeight())
	}
	return "--tigas-weight " + flag(w)
}

// halfWeight is [view.lighter] for half of it, "" where the term is the whole loss: its weight changes nothing then.
func (v *view) halfWeight() string {
	if v.onlyTerm() {
		return ""
	}
	return v.lighter(0.5)
}

// onlyTerm tells whether the term is the whole loss.
func (v *view) onlyTerm() bool { return v.Family == "gan" && v.Objective == "tigas-only" }

// withCritic is what helps a run that has nothing but the term.
const withCritic = "begin a new run with --loss wgan-gp --tigas-weight 0.1"

// back is a command's flags for a run from a moment when all was well, or from its beginning where there was none.
func back(to float64, flags ...string) string {
	with := list(" ", flags...)
	switch {
	case to > 0:
		return "go back to a snapshot of " + at(to) + " or before: " + list(" ", "--resume RUN/snapshots/FILE", with)
	case with == "":
		return "begin again"
	}
	return "begin again with " + with
}

// check is the command that shows what a detector is worth.
const check = "tigas-train detector check MODEL --real DIR --fake DIR"

// rates are the learning rates of a family: the lowest and the highest of the defaults, for which they were tuned, and the one
// to take when nothing else is known. Ten times the highest is no choice but a slip.
type rates struct{ low, high, usual float64 }

const absurd = 10

func (v *view) rates() rates {
	switch v.Family {
	case "gan":
		if v.Objective == "wgan-gp" {
			return rates{1e-4, 2e-3, 5e-4}
		}
		return rates{5e-5, 2e-3, 2e-4}
	case "stylegan":
		return rates{2e-3, 1e-2, 2.5e-3}
	case "vae":
		return rates{1e-4, 1e-3, 1e-3}
	}
	return rates{1e-4, 2e-3, 1e-4}
}

// network is the flag of the learning rate of a network, and the network's name in the log.
func (v *view) network(net string) (flag, name string) {
	switch {
	case v.Family == "vae":
		return "--lr", "VAE"
	case v.Family == "diffusion":
		return "--lr", "net"
	case v.Family != "gan" && v.Family != "stylegan":
		return "--lr", net
	case strings.HasPrefix(net, "D"):
		return "--d-lr", "D"
	}
	return "--g-lr", "G"
}

// slower is the flag for half of the learning rate of a network as it is now, or for the usual one where it is absurd; "" when
// the log has none.
func (v *view) slower(net string) string {
	name, net := v.network(net)
	rate := v.rate(net)
	if rate <= 0 {
		return ""
	}
	r := v.rates()
	if rate <= absurd*r.high {
		return name + " " + flag(rate/2)
	}
	other := v.rate(map[string]string{"G": "D", "D": "G"}[net])
	if other < r.low || other > r.high { // the defaults of both are the same
		other = r.usual
	}
	return name + " " + significant(other, 2)
}

// lowerRate is [view.slower] as a sentence.
func (v *view) lowerRate(net string) string {
	if s := v.slower(net); s != "" {
		return "lower the learning rate: " + s
	}
	name, _ := v.network(net)
	return "lower the learning rate, which is " + name
}

const (
	// A rate that falls so much faster from one tick to the next than it did before was lowered, by a person or after a
	// divergence: no decay does that, but for the last ticks, where little is left of it.
	lowered  = 0.7
	leftOver = 0.05
)

// rate is the learning rate that a network's flag has now, 0: not known. Of a rate with a schedule that is the highest one,
// times what it was lowered by. The log of StyleGAN has the rate of one update, which is a little lower than the flag's.
func (v *view) rate(net string) float64 {
	s := v.at("lr_" + net)
	if n := len(s); n > 0 && (v.Family == "gan" || v.Family == "stylegan") {
		return max(0, s[n-1].v) // without a schedule
	}
	rate, before := 0.0, 1.0
	for i, p := range s {
		if i > 0 && s[i-1].v > 0 && p.v > 0 {
			by := p.v / s[i-1].v
			if by < lowered*before && p.v > leftOver*rate {
				rate *= by / before
			} else {
				before = min(1, by)
			}
		}
		rate = max(rate, p.v)
	}
	return rate
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
