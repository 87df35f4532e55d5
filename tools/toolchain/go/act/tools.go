//go:build tools

// Package tools pins act: go.sum is its integrity check.
package tools

import _ "github.com/nektos/act"
