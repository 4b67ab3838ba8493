// A Verilated model behind a C interface: what VerilatedModel.cs loads. The model's ports are those of docs/cosimulation.md.
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>

#include "Vmodel.h"
#include "verilated.h"
#include "verilated_vcd_c.h"

// else Verilator would end the process, in which the device is not alone
void vl_fatal(const char* file, int line, const char*, const char* message) {
    throw std::runtime_error(std::string(file ? file : "") + ":" + std::to_string(line) + ": " + message);
}

namespace {

// The layout of ModelPins.cs.
struct Pins {
    uint64_t dma_addr;
    uint64_t dma_wdata;
    uint64_t dma_rdata;
    uint64_t cycle;
    uint32_t reg_addr;
    uint32_t reg_wdata;
    uint32_t reg_rdata;
    uint32_t irq;
    uint32_t irq_rose; // since it was last cleared
    uint8_t reg_valid;
    uint8_t reg_write;
    uint8_t reg_wstrb;
    uint8_t dma_valid;
    uint8_t dma_write;
    uint8_t dma_wstrb;
    uint8_t dma_ready;
    uint8_t dma_error;
    uint8_t clk_req;
    uint8_t finished;
    uint8_t unused[2];
};

constexpr uint64_t HalfPeriod = 5; // ns

struct Simulation {
    // in this order: the trace refers to the model, and the model to the context
    std::unique_ptr<VerilatedContext> context = std::make_unique<VerilatedContext>();
    std::unique_ptr<Vmodel> model;
    std::unique_ptr<VerilatedVcdC> trace;
    uint64_t trace_cycles = 0;
    uint64_t cycle = 0;
    bool failed = false;

    ~Simulation() {
        if (trace)
            trace->close();
        if (model && !failed)
            model->final();
    }

    bool finished() const { return failed || context->gotFinish(); }

    void half(uint8_t level) {
        model->clk = level;
        model->eval();
        if (trace && cycle < trace_cycles)
            trace->dump(context->time());
        context->timeInc(HalfPeriod);
    }

    void drive(const Pins& pins) {
        model->reg_valid = pins.reg_valid;
        model->reg_write = pins.reg_write;
        model->reg_addr = pins.reg_addr;
        model->reg_wdata = pins.reg_wdata;
        model->reg_wstrb = pins.reg_wstrb;
        model->dma_ready = pins.dma_ready;
        model->dma_rdata = pins.dma_rdata;
        model->dma_error = pins.dma_error;
    }

    void sample(Pins& pins) {
        pins.dma_valid = model->dma_valid;
        pins.dma_write = model->dma_write;
        pins.dma_addr = model->dma_addr;
        pins.dma_wdata = model->dma_wdata;
        pins.dma_wstrb = model->dma_wstrb;
        pins.clk_req = model->clk_req;
        uint32_t irq = model->irq;
        pins.irq_rose |= irq & ~pins.irq;
        pins.irq = irq;
        pins.cycle = cycle;
        pins.finished = finished();
    }

    // One cycle; whether the registers' transfer took place at its edge.
    bool clock(Pins& pins) {
        drive(pins);
        half(0);
        // what both sides see at the edge decides, not what comes of it
        bool transferred = pins.reg_valid && model->reg_ready;
        if (transferred)
            pins.reg_rdata = model->reg_rdata;
        bool answered = pins.dma_ready && model->dma_valid;
        half(1);
        cycle++;
        if (transferred)
            pins.reg_valid = 0;
        if (answered)
            pins.dma_ready = pins.dma_error = 0;
        sample(pins);
        return transferred;
    }
};

} // namespace

// all else is hidden, so that several models can be loaded into one process
#pragma GCC visibility push(default)
extern "C" {

uint32_t cosimulation_pins_size() { return sizeof(Pins); }

// Null if the trace cannot be written.
void* cosimulation_create(const char* trace_path, uint64_t trace_cycles) {
    try {
        auto simulation = std::make_unique<Simulation>();
        simulation->context->fatalOnError(false);
        simulation->context->traceEverOn(trace_path != nullptr);
        Verilated::threadContextp(simulation->context.get());
        simulation->model = std::make_unique<Vmodel>(simulation->context.get(), "model");
        if (trace_path != nullptr) {
            simulation->trace = std::make_unique<VerilatedVcdC>();
            simulation->trace_cycles = trace_cycles;
            simulation->model->trace(simulation->trace.get(), 99);
            simulation->trace->open(trace_path);
            if (!simulation->trace->isOpen())
                return nullptr;
        }
        return simulation.release();
    } catch (const std::exception&) {
        return nullptr;
    }
}

void cosimulation_destroy(void* handle) { delete static_cast<Simulation*>(handle); }

// Clocks with the reset high; what was finished runs again.
void cosimulation_reset(void* handle, Pins* pins, uint32_t cycles) {
    auto* simulation = static_cast<Simulation*>(handle);
    Verilated::threadContextp(simulation->context.get());
    try {
        if (!simulation->failed)
            simulation->context->gotFinish(false);
        *pins = Pins{};
        simulation->model->rst = 1;
        for (uint32_t i = 0; i < cycles && !simulation->finished(); i++)
            simulation->clock(*pins);
        simulation->model->rst = 0;
        simulation->drive(*pins);
        if (!simulation->failed)
            simulation->model->eval();
        simulation->sample(*pins);
        pins->irq_rose = 0;
    } catch (const std::exception&) {
        simulation->failed = true;
        pins->finished = 1;
    }
}

// Clocks until the registers' transfer is done, if there is one, and else until the model asks for memory or for no more clock; in
// either case for a number of cycles at most.
void cosimulation_run(void* handle, Pins* pins, uint32_t cycles) {
    auto* simulation = static_cast<Simulation*>(handle);
    Verilated::threadContextp(simulation->context.get());
    try {
        bool access = pins->reg_valid;
        for (uint32_t i = 0; i < cycles && !simulation->finished(); i++) {
            if (!access && ((pins->dma_valid && !pins->dma_ready) || !(pins->clk_req || pins->dma_valid)))
                return;
            if (simulation->clock(*pins) && access)
                return;
        }
        pins->finished = simulation->finished();
    } catch (const std::exception&) {
        simulation->failed = true;
        pins->finished = 1;
    }
}

// The file has all that was traced.
void cosimulation_flush(void* handle) {
    auto* simulation = static_cast<Simulation*>(handle);
    if (simulation->trace)
        simulation->trace->flush();
}

} // extern "C"
#pragma GCC visibility pop
