package convert_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/tigas-train/tigas-train/cgo/jit"
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/tigas/convert"
	"github.com/tigas-train/tigas-train/pkg/tigas/network"
	"github.com/tigas-train/tigas-train/pkg/tigas/torchsave/savetest"
)

// trainersFile writes a file as TIGAS's trainer does, of a small network without much sense.
func trainersFile() (path string, remove func()) {
	dir, err := os.MkdirTemp("", "convert")
	if err != nil {
		panic(err)
	}
	text, err := network.Arch{Mode: network.FullMode, Base: 8, Feature: 16, Blocks: []int{2, 3, 4, 3}}.Write(network.Options{})
	if err != nil {
		panic(err)
	}
	var l []savetest.Tensor
	for _, sp := range text.Specs {
		t := savetest.Tensor{Name: sp.Name, Shape: sp.Shape}
		if sp.Init == network.Counter {
			t.DType = "int64"
		}
		l = append(l, t)
	}
	path = filepath.Join(dir, "best_model.pt")
	if err = savetest.WriteFile(path, savetest.Trainer(l, savetest.TrainerOptions{Epoch: 2})); err != nil {
		panic(err)
	}
	return path, func() { os.RemoveAll(dir) }
}

func Example() {
	path, remove := trainersFile()
	defer remove()
	c, err := convert.Open(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	fmt.Printf("%s mode, base %d, features %d, epoch %d\n", c.Arch.Mode, c.Arch.Base, c.Arch.Feature, *c.Epoch)

	s := torch.NewScope()
	defer s.Close()
	m, err := c.Module(s, torch.CPU, convert.Options{})
	if err != nil {
		fmt.Println(err)
		return
	}
	card := c.Card(convert.Options{})
	err = m.SaveWith(filepath.Join(filepath.Dir(path), "tigas.pt"), jit.Files{network.CardFile: card.Text()})
	fmt.Println(card.Output, err)
	// Output:
	// full mode, base 8, features 16, epoch 2
	// scores [N, 1] in [0, 1]: 1 = real, 0 = generated <nil>
}
