// Hardware that does not do what it should, and more wires than copy_crc.v has.
//
//   0x00  the number of cycles since the reset
//   0x04  is never answered
//   0x08  a write ends the simulation by $finish
//   0x0C  a write ends it by $stop, as a failed assertion does
//   0x10  the interrupt wires
//   0x14  is answered after as many cycles as were written to it
module unruly (
    input  wire        clk,
    input  wire        rst,
    input  wire        reg_valid,
    input  wire        reg_write,
    input  wire [11:0] reg_addr,
    input  wire [31:0] reg_wdata,
    input  wire [3:0]  reg_wstrb,
    output wire        reg_ready,
    output wire [31:0] reg_rdata,
    output wire        dma_valid,
    output wire        dma_write,
    output wire [63:0] dma_addr,
    output wire [63:0] dma_wdata,
    output wire [7:0]  dma_wstrb,
    input  wire        dma_ready,
    input  wire [63:0] dma_rdata,
    input  wire        dma_error,
    output wire [3:0]  irq,
    output wire        clk_req
);
    reg [31:0] cycles, delay, waited;
    reg [3:0]  wires;

    assign reg_ready = reg_addr == 12'h014 ? waited >= delay : reg_addr != 12'h004;
    assign reg_rdata = reg_addr == 12'h010 ? {28'd0, wires} : cycles;
    assign {dma_valid, dma_write, dma_addr, dma_wdata, dma_wstrb} = 138'd0;
    assign irq = wires;
    assign clk_req = 1'b0;

    always @(posedge clk)
        if (rst) begin
            cycles <= 32'd0;
            delay <= 32'd0;
            waited <= 32'd0;
            wires <= 4'd0;
        end else begin
            cycles <= cycles + 32'd1;
            waited <= reg_valid && !reg_ready ? waited + 32'd1 : 32'd0;
            if (reg_valid && reg_ready && reg_write) begin
                if (reg_addr == 12'h008) $finish;
                if (reg_addr == 12'h00C) $stop;
                if (reg_addr == 12'h010 && reg_wstrb[0]) wires <= reg_wdata[3:0];
                if (reg_addr == 12'h014) delay <= reg_wdata;
            end
        end

    wire unused = &{dma_ready, dma_rdata, dma_error, reg_wstrb, 1'b0};
endmodule
