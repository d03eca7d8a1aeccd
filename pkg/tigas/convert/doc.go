// Package convert makes TorchScript detectors of upstream's checkpoints, without Python: of the files that TIGAS's trainer
// writes (best_model.pt), of those that its save_model writes, and of bare state dicts.
//
//	c, err := convert.Open("best_model.pt")   // reads what is in the file, runs nothing, loads no weights
//	defer c.Close()
//	m, err := c.Module(scope, torch.CPU, convert.Options{})
//	err = m.SaveWith("tigas.pt", jit.Files{network.CardFile: c.Card(convert.Options{}).Text()})
//
// Mode, widths and layout are found from the tensors. Every tensor that the score depends on must be there with its shape;
// of others only those are tolerated that provably cannot change it. The full mode is reduced to the path that leads to
// the score: the same numbers, a third to a sixth of the work.
package convert
