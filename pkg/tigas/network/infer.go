package network

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// State is what a state dict holds, by PyTorch's names: the shape of each tensor.
type State map[string][]int64

// Found is the network that a state dict belongs to.
type Found struct {
	Arch   Arch
	Layout string   // "fast", or for the full mode "v2", "v1", "v0.5" by its spectral branch, "reduced" if it has none
	Inert  []string // tensors of the state dict that cannot change the output, sorted
}

// ErrNotTIGAS is wrapped by errors that mean "these are the weights of another network".
var ErrNotTIGAS = errors.New("not the weights of a TIGAS detector")

// Infer finds mode, widths and layout from the shapes of a state dict. The error is a [*KeyError] when tensors are missing, have other shapes or belong
// to nothing known; it wraps [ErrNotTIGAS] when the state dict is that of something else.
func Infer(state State) (*Found, error) {
	const agg = "perceptual_aggregator.0.weight"
	w := state[stem+".weight"]
	if len(w) != 4 {
		return nil, fmt.Errorf("network: %w: got %s vs a tensor %s of 4 dimensions", ErrNotTIGAS, state.describe(), stem+".weight")
	}
	if w[1] != 3 {
		return nil, fmt.Errorf("network: got a detector for images of %d channels vs 3", w[1])
	}
	a := Arch{Base: int(w[0]), Blocks: state.blocks()}
	var err error
	if a.Mode, err = state.mode(); err != nil {
		return nil, err
	}
	v := state[agg]
	switch {
	case len(v) == 2:
		a.Feature = int(v[0])
	case state.has("perceptual_aggregator.2.") || state.has("perceptual_aggregator.3."):
		return nil, fmt.Errorf("network: got the layout of November 2025 (perceptual_aggregator.2), which is not supported: train it anew, " +
			"or export it to TorchScript with the code it was made by")
	default:
		return nil, &KeyError{Missing: []string{agg}}
	}
	if err = a.Validate(); err != nil {
		return nil, err
	}
	f := &Found{Arch: a, Layout: state.layout(a.Mode)}
	f.Inert, err = state.match(a)
	return f, err
}

// match compares the tensors with those that the network needs, and returns the names of the inert ones.
func (s State) match(a Arch) (inert []string, err error) {
	text, err := a.Write(Options{})
	if err != nil {
		return nil, err
	}
	var e KeyError
	needed := make(map[string]bool, len(text.Specs))
	for _, sp := range text.Specs {
		needed[sp.Name] = true
		switch shape, ok := s[sp.Name]; {
		case !ok:
			e.Missing = append(e.Missing, sp.Name)
		case !slices.Equal(shape, sp.Shape):
			e.Misshapen = append(e.Misshapen, fmt.Sprintf("%s %v vs %v", sp.Name, shape, sp.Shape))
		}
	}
	for name := range s {
		switch {
		case needed[name]:
		case a.Mode == FullMode && inertName.MatchString(name):
			inert = append(inert, name)
		default:
			e.Unknown = append(e.Unknown, name)
		}
	}
	slices.Sort(inert)
	slices.Sort(e.Unknown)
	if e.Missing != nil || e.Misshapen != nil || e.Unknown != nil {
		return inert, &e
	}
	return inert, nil
}

// inertName are the parts of the full mode that only reach queries and keys of attentions over one token.
var inertName = regexp.MustCompile(`^(spectral_analyzer|statistical_estimator|(spectral|stat)_to_perceptual_attn\.[qk]_proj)\.`)

// mode looks for the parts that only one mode has.
func (s State) mode() (Mode, error) {
	fast := s.has("aux_branch.") || s.has("fast_fusion.")
	full := s.has("spectral_to_perceptual_attn.") || s.has("feature_fusion.")
	switch {
	case fast && full:
		return "", errors.New("network: got the parts of both modes (aux_branch and feature_fusion) vs those of one")
	case fast:
		return FastMode, nil
	case full:
		return FullMode, nil
	}
	return "", errors.New("network: got a backbone without the parts of either mode: want aux_branch.0.weight (fast) or " +
		"spectral_to_perceptual_attn.v_proj.weight (full)")
}

func (s State) layout(m Mode) string {
	switch {
	case m == FastMode:
		return "fast"
	case s.has("spectral_analyzer.mag_encoder."):
		return "v2"
	case s.has("spectral_analyzer.freq_encoder."):
		return "v1"
	case s.has("spectral_analyzer.freq_conv") || s.has("spectral_analyzer.freq_blocks."):
		return "v0.5"
	}
	return "reduced"
}

var attentionName = regexp.MustCompile(`^perceptual_extractor\.stage(\d)\.(\d+)\.channel_attn\.`)

// blocks is the place of the attention in each stage: where none is found, upstream's, so that its absence is named later.
func (s State) blocks() []int {
	found := make([]int, len(stages))
	for name := range s {
		if m := attentionName.FindStringSubmatch(name); m != nil {
			k, _ := strconv.Atoi(m[1])
			if n, err := strconv.Atoi(m[2]); err == nil && k >= 1 && k <= len(found) {
				found[k-1] = max(found[k-1], min(n, maxBlocks+1)) // Validate refuses that many
			}
		}
	}
	for k, n := range found {
		if n == 0 {
			found[k] = stages[k]
		}
	}
	return found
}

func (s State) has(prefix string) bool {
	for name := range s {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

func (s State) describe() string {
	if len(s) == 0 {
		return "no tensors"
	}
	names := make([]string, 0, len(s))
	for name := range s {
		names = append(names, name)
	}
	slices.Sort(names)
	return fmt.Sprintf("%d tensors such as %.80q", len(s), names[0])
}

// KeyError lists what is wrong with the tensors of a state dict.
type KeyError struct {
	Missing   []string // names
	Misshapen []string // "name [got] vs [want]"
	Unknown   []string // names that belong to no part of the network
}

// Error lists the tensors, of each kind the first ones.
func (e *KeyError) Error() string {
	var parts []string
	for _, k := range []struct {
		what string
		l    []string
	}{{"missing", e.Missing}, {"of another shape", e.Misshapen}, {"unknown", e.Unknown}} {
		if len(k.l) > 0 {
			parts = append(parts, fmt.Sprintf("%d %s: %s", len(k.l), k.what, some(k.l)))
		}
	}
	return "network: the tensors do not fit: " + strings.Join(parts, "; ")
}

// some joins the first names, each short enough for a line of an error.
func some(l []string) string {
	const most = 12
	var out []string
	for _, s := range l[:min(len(l), most)] {
		if q := strconv.Quote(s); q != `"`+s+`"` || len(s) > 120 {
			s = fmt.Sprintf("%.120q", s)
		}
		out = append(out, s)
	}
	if n := len(l) - most; n > 0 {
		out = append(out, fmt.Sprintf("and %d more", n))
	}
	return strings.Join(out, ", ")
}
