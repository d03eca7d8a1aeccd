package customtraining

import (
	"github.com/tigas-train/tigas-train/cgo/torch"
	"github.com/tigas-train/tigas-train/pkg/models"
	"github.com/tigas-train/tigas-train/pkg/nn"
	"github.com/tigas-train/tigas-train/pkg/trainers"
)

// FromPython makes a GAN whose generator is a TorchScript file, on a device.
func FromPython(root *torch.Scope, path string, device torch.Device) (*trainers.GAN, error) {
	// block: torchscript
	file, err := models.ReadScript(path)
	if err != nil {
		return nil, err
	}
	o := trainers.DefaultGANOptions()
	o.Latent, o.Resolution = 100, 64
	o.Generator = func(b nn.Builder) (models.Generator, error) {
		return models.NewScriptGenerator(b, file, models.ScriptOptions{})
	}
	gan, err := trainers.NewGAN(root, nil, o, device)
	// end
	return gan, err
}
