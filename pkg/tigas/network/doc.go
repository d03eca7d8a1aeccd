// Package network writes the TIGAS detector as TorchScript: its tensors with their names, shapes and initial values, and
// the source text of its forward pass. One text serves training, freezing and files, so the network exists once.
//
// The network maps images [N, 3, H, W] in [0, 1] to scores [N, 1], 1 = real and 0 = generated: a convolutional backbone
// of gated residual blocks with channel and spatial attention, the pooled features of all stages, an auxiliary branch on
// the image, and a small head. [Arch] sets the widths; the published size is [Full].
package network
