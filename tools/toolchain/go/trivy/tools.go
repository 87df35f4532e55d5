//go:build tools

// Package tools pins trivy: go.sum is its integrity check.
package tools

import _ "github.com/aquasecurity/trivy/cmd/trivy"
