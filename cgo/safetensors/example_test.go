package safetensors_test

import (
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/tigas-train/tigas-train/cgo/safetensors"
)

func Example() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "model.safetensors")

	err = safetensors.WriteFile(path, []safetensors.Tensor{
		{Name: "bias", DType: safetensors.U8, Shape: []int64{3}, Data: safetensors.Raw{1, 2, 3}},
		{Name: "step", DType: safetensors.U8, Data: safetensors.Raw{7}},
	}, map[string]string{"format": "pt"})
	if err != nil {
		log.Fatal(err)
	}

	f, err := safetensors.Open(path)
	if err != nil {
		log.Fatal(err)
	}
	defer f.Close()
	for _, e := range f.Entries() {
		data, err := f.Bytes(e.Name)
		fmt.Println(e.Name, e.DType, e.Shape, data, err)
	}
	fmt.Println(f.Metadata())
	// Output:
	// bias U8 [3] [1 2 3] <nil>
	// step U8 [] [7] <nil>
	// map[format:pt]
}
