package savetest

import (
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strings"
)

// StateDict is what a module's state_dict() returns: the tensors under their names, and the versions of the modules that
// the names imply.
func StateDict(tensors []Tensor) OrderedDict {
	d := OrderedDict{Metadata: metadata(tensors)}
	for i := range tensors {
		d.Items = append(d.Items, Item{tensors[i].Name, &tensors[i]})
	}
	return d
}

func metadata(tensors []Tensor) OrderedDict {
	norms := map[string]bool{} // batch norms are of version 2
	for _, t := range tensors {
		if module, ok := strings.CutSuffix(t.Name, ".num_batches_tracked"); ok {
			norms[module] = true
		}
	}
	d := OrderedDict{Items: []Item{{"", Dict{{"version", 1}}}}}
	seen := map[string]bool{}
	for _, t := range tensors {
		for i, c := range t.Name {
			if module := t.Name[:i]; c == '.' && !seen[module] {
				seen[module] = true
				version := 1
				if norms[module] {
					version = 2
				}
				d.Items = append(d.Items, Item{module, Dict{{"version", version}}})
			}
		}
	}
	return d
}

// Model is what TIGAS's save_model writes.
func Model(tensors []Tensor, imgSize int) Dict {
	return Dict{{"model_state_dict", StateDict(tensors)}, {"img_size", imgSize}}
}

// TrainerOptions is the state of a training beside the weights.
type TrainerOptions struct {
	Epoch, GlobalStep int
	BestValLoss       float64 // 0 for +Inf, what it is before the first validation
	Bare              bool    // None for the scheduler
	AMP               bool    // the state of a gradient scaler, None otherwise
	// Moments are the bytes of each moment of the optimizer, for a tensor and "exp_avg" or "exp_avg_sq"; zeros if nil.
	Moments func(t Tensor, name string) []byte
}

// Trainer is what TIGAS's trainer writes: the nine keys of best_model.pt, the state of AdamW for every parameter
// included. Tensors whose names are those of buffers have no moments. The moments are where their tensors are, the step
// counts on the cpu.
func Trainer(tensors []Tensor, o TrainerOptions) Dict {
	losses := func(names ...string) Dict {
		d := Dict{}
		for i, n := range names {
			d = append(d, Item{n, 0.5 / float64(i+1)})
		}
		return d
	}
	train, val := List{}, List{}
	for range o.Epoch + 1 {
		train = append(train, losses("total", "regression", "classification", "ranking"))
		val = append(val, losses("total", "regression", "classification", "accuracy"))
	}
	var scheduler, scaler Value
	if !o.Bare {
		scheduler = Dict{{"current_epoch", o.Epoch + 1}, {"base_scheduler", Dict{
			{"T_max", 50}, {"eta_min", 1e-6}, {"base_lrs", List{1e-4, 1e-4}}, {"last_epoch", o.Epoch}, {"verbose", false},
			{"_step_count", o.Epoch + 1}, {"_get_lr_called_within_step", false}, {"_last_lr", List{9e-5, 9e-5}},
		}}}
	}
	if o.AMP {
		scaler = Dict{{"scale", 65536.0}, {"growth_factor", 2.0}, {"backoff_factor", 0.5}, {"growth_interval", 2000},
			{"_growth_tracker", 17}}
	}
	return Dict{
		{"epoch", o.Epoch},
		{"global_step", o.GlobalStep},
		{"model_state_dict", StateDict(tensors)},
		{"optimizer_state_dict", optimizer(tensors, o)},
		{"scheduler_state_dict", scheduler},
		{"scaler_state_dict", scaler},
		{"best_val_loss", cmp.Or(o.BestValLoss, math.Inf(1))},
		{"train_history", train},
		{"val_history", val},
	}
}

// optimizer is the state of AdamW: weights in one group, vectors and scalars, which do not decay, in the other.
func optimizer(tensors []Tensor, o TrainerOptions) Dict {
	step := binary.LittleEndian.AppendUint32(nil, math.Float32bits(float32(o.GlobalStep)))
	moment := func(t Tensor, name string) Tensor {
		m := Tensor{DType: t.DType, Shape: t.Shape, Location: t.Location}
		if o.Moments != nil {
			m.Data = o.Moments(t, name)
		}
		return m
	}
	state, groups, n := Dict{}, List{}, 0
	for _, decay := range []float64{0.01, 0} {
		params := List{}
		for _, t := range tensors {
			if isBuffer(t.Name) || (len(t.Shape) > 1) != (decay > 0) {
				continue
			}
			state = append(state, Item{n, Dict{{"step", Tensor{Data: step}}, {"exp_avg", moment(t, "exp_avg")},
				{"exp_avg_sq", moment(t, "exp_avg_sq")}}})
			params = append(params, n)
			n++
		}
		groups = append(groups, Dict{{"weight_decay", decay}, {"lr", 9e-5}, {"betas", Tuple{0.9, 0.999}}, {"eps", 1e-8},
			{"amsgrad", false}, {"foreach", nil}, {"maximize", false}, {"capturable", false}, {"initial_lr", 1e-4},
			{"params", params}})
	}
	return Dict{{"state", state}, {"param_groups", groups}}
}

// isBuffer tells a tensor that is not trained by its name.
func isBuffer(name string) bool {
	return slices.Contains([]string{"running_mean", "running_var", "num_batches_tracked", "natural_prototypes",
		"prototypes_initialized", "prototype_update_count"}, name[strings.LastIndex(name, ".")+1:])
}
