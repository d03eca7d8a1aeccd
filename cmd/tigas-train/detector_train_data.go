package main

import (
	"fmt"

	"github.com/tigas-train/tigas-train/pkg/data"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// leastPictures is the least number of pictures of a kind that can be divided into parts.
const leastPictures = 10

// open opens sets, joins them and tries whether they can be used.
func (o *trainDetector) open(flag string, paths []string) (data.Dataset, error) {
	ds, err := openSets(flag, paths, o.settings.Resolution)
	if err != nil {
		return nil, err
	}
	if ds.Len() < leastPictures {
		err = fmt.Errorf("--%s: %s: got %d picture(s) vs at least %d", flag, ds.Name(), ds.Len(), leastPictures)
		return nil, (&hinted{code: exitData, err: err}).withHint("some hundreds are a beginning")
	}
	// It decodes one: a folder of broken files is refused before there is a run.
	if _, err := data.NewLoader(ds, data.LoaderOptions{Batch: 1, Transform: data.Transform{Resolution: 32}}); err != nil {
		return nil, coded(exitData, fmt.Errorf("--%s: %w", flag, err))
	}
	return ds, nil
}

// data divides the pictures.
func (o *trainDetector) data() (d trainers.DetectorData, split string, err error) {
	if err = disjoint("real", o.Real, "val-real", o.ValReal); err != nil {
		return d, "", err
	}
	if err = disjoint("fake", o.Fake, "val-fake", o.ValFake); err != nil {
		return d, "", err
	}
	var sets [4]data.Dataset
	for i, f := range []struct {
		flag  string
		paths []string
	}{{"real", o.Real}, {"fake", o.Fake}, {"val-real", o.ValReal}, {"val-fake", o.ValFake}} {
		if len(f.paths) == 0 {
			continue
		}
		if sets[i], err = o.open(f.flag, f.paths); err != nil {
			return d, "", err
		}
	}
	seed := uint64(o.settings.Seed)
	all := data.Labelled{Real: sets[0], Fake: sets[1]}
	if sets[2] != nil {
		held := data.Labelled{Real: sets[2], Fake: sets[3]}.Split(seed, 0.5)
		return trainers.DetectorData{Train: all, Val: held[0], Test: held[1]},
			"pictures held out by --val-real and --val-fake, half to validate and half to test, by hash of name and seed", nil
	}
	parts := all.Split(seed, 0.1, 0.1)
	return trainers.DetectorData{Val: parts[0], Test: parts[1], Train: parts[2]},
		"80 % training, 10 % validation, 10 % test of each kind, by hash of name and seed", nil
}
