// Package checkpoint is the run folder and the snapshots in it.
//
//	runs/00003-gan-demo/
//	    config.json                          what was run, enough to build the networks again
//	    log.jsonl                            one object for each tick
//	    samples/reals.png, fakes000000.png   pictures, by thousands of images
//	    snapshots/network-snapshot-000200.safetensors
package checkpoint
