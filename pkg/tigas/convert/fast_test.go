//go:build !slow

package convert_test

const mutations = 200
