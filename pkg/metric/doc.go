// Package metric measures how far generated images are from real ones, by something that no part of training saw.
//
// [Frechet] is the distance between two clouds of features. [RandomFeatures] are the features of a fixed, untrained
// convolutional network: no file to download, the same on every machine, and sensitive to colour, texture and shape at
// small sizes. Distances on them compare runs on the same data; they are not FID and must not be quoted as FID.
package metric
