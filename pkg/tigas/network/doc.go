// Package network writes the TIGAS detector as TorchScript: its tensors with their names, shapes and initial values, and
// the source text of its forward pass. One text serves training, conversion, freezing and files, so the network exists
// once. [Infer] goes the other way: from the tensors of a state dict to the network that they belong to.
//
// The network maps images [N, 3, H, W] in [0, 1], of any size, to scores [N, 1], 1 = real and 0 = generated: a
// convolutional backbone of gated residual blocks with channel and spatial attention, the pooled features of all stages, a
// fusion of them, and two small heads. [Arch] sets mode and widths; [Published] are upstream's.
package network
