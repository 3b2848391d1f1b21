// Command gnark proves, with gnark's Groth16 over BN254, a circuit of a given number of constraints in which all
// but a few variables are bits, as in the circuits it is compared with.
//
// After set-up it prints one JSON line of facts; then, for each line read from standard input, it proves once and
// prints one JSON line of what that took.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/consensys/gnark-crypto/ecc"
	"github.com/consensys/gnark/backend/groth16"
	"github.com/consensys/gnark/constraint/solver"
	"github.com/consensys/gnark/frontend"
	"github.com/consensys/gnark/frontend/cs/r1cs"
	"github.com/consensys/gnark/logger"
)

// word is the number of bits that one full-size variable is split into.
const word = 32

// bitHeavy holds, per word: one boolean constraint for each bit, one that adds them up, and one exclusive or per bit.
// One product of full-size variables follows every eight words, so that they are as rare as after hashing.
type bitHeavy struct {
	Seed        frontend.Variable
	Last        frontend.Variable `gnark:",public"`
	constraints int
}

func (c *bitHeavy) Define(api frontend.API) error {
	state, product := c.Seed, c.Seed
	var before []frontend.Variable
	for i, made := 0, 0; made+2*word+2 < c.constraints; i++ {
		next, err := api.Compiler().NewHint(scramble, 1, state)
		if err != nil {
			return err
		}
		bits := api.ToBinary(next[0], word)
		made += word + 1
		if before != nil {
			for j := range bits {
				bits[j] = api.Xor(bits[j], before[(j+7)%word])
			}
			made += word
		}
		before, state = bits, next[0]
		if i%8 == 0 {
			product = api.Mul(api.Add(product, state), api.Add(product, i+1))
			made++
		}
	}
	api.AssertIsEqual(c.Last, api.Mul(c.Seed, c.Seed))
	return nil
}

// scramble gives the next word: bits that look random are half ones, as a hash function's are.
func scramble(_ *big.Int, in, out []*big.Int) error {
	x := uint32(in[0].Uint64())*2654435761 + 0x9e3779b9
	x ^= x >> 15
	out[0].SetUint64(uint64(x))
	return nil
}

type spent struct {
	Wall float64 `json:"wall"`
	CPU  float64 `json:"cpu"`
}

func measure(work func() error) (spent, error) {
	cpu, start := cpuSeconds(), time.Now()
	err := work()
	return spent{time.Since(start).Seconds(), cpuSeconds() - cpu}, err
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		panic(err)
	}
	seconds := func(t syscall.Timeval) float64 { return float64(t.Sec) + float64(t.Usec)/1e6 }
	return seconds(usage.Utime) + seconds(usage.Stime)
}

func run(constraints int) error {
	logger.Disable()
	solver.RegisterHint(scramble)
	system, err := frontend.Compile(ecc.BN254.ScalarField(), r1cs.NewBuilder, &bitHeavy{constraints: constraints})
	if err != nil {
		return err
	}
	var proving groth16.ProvingKey
	var verifying groth16.VerifyingKey
	setup, err := measure(func() (err error) {
		proving, verifying, err = groth16.Setup(system)
		return err
	})
	if err != nil {
		return err
	}
	assignment := &bitHeavy{Seed: 12345, Last: 12345 * 12345}
	witness, err := frontend.NewWitness(assignment, ecc.BN254.ScalarField())
	if err != nil {
		return err
	}
	public, err := witness.Public()
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	var proof groth16.Proof
	prove := func() (err error) {
		proof, err = groth16.Prove(system, proving, witness)
		return err
	}
	if err := prove(); err != nil {
		return err
	}
	verification, err := measure(func() error { return groth16.Verify(proof, verifying, public) })
	if err != nil {
		return err
	}
	var encoded bytes.Buffer
	if _, err := proof.WriteTo(&encoded); err != nil {
		return err
	}
	if err := out.Encode(map[string]any{
		"constraints": system.GetNbConstraints(), "setup": setup, "verify": verification.Wall, "proof_bytes": encoded.Len(),
	}); err != nil {
		return err
	}
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		took, err := measure(prove)
		if err != nil {
			return err
		}
		if err := out.Encode(took); err != nil {
			return err
		}
	}
	return nil
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: gnark CONSTRAINTS")
		os.Exit(2)
	}
	constraints, err := strconv.Atoi(os.Args[1])
	if err == nil {
		err = run(constraints)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "gnark:", err)
		os.Exit(1)
	}
}
