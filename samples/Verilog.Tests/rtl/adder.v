// Hardware without a DMA master, as its author would write it first: ports that it does not use are left alone.
//
//   0x0, 0x4  the addends
//   0x8       their sum
//   0xC       a write interrupts
module adder (
    input  wire        clk,
    input  wire        rst,
    input  wire        reg_valid,
    input  wire        reg_write,
    input  wire [11:0] reg_addr,
    input  wire [31:0] reg_wdata,
    input  wire [3:0]  reg_wstrb,
    output wire        reg_ready,
    output reg  [31:0] reg_rdata,
    output wire        dma_valid,
    output wire        dma_write,
    output wire [63:0] dma_addr,
    output wire [63:0] dma_wdata,
    output wire [7:0]  dma_wstrb,
    input  wire        dma_ready,
    input  wire [63:0] dma_rdata,
    input  wire        dma_error,
    output wire        irq,
    output wire        clk_req
);
    reg [31:0] a, b;
    reg        fired;

    assign reg_ready = reg_valid;
    assign dma_valid = 0;
    assign irq = fired;
    assign clk_req = fired;

    always @(*)
        case (reg_addr[3:0])
            4'h0: reg_rdata = a;
            4'h4: reg_rdata = b;
            4'h8: reg_rdata = a + b;
            default: reg_rdata = 0;
        endcase

    always @(posedge clk)
        if (rst) begin
            a <= 0;
            b <= 0;
            fired <= 0;
        end else begin
            fired <= reg_valid && reg_write && reg_addr[3:0] == 4'hC;
            if (reg_valid && reg_write && reg_addr[3:0] == 4'h0) a <= reg_wdata;
            if (reg_valid && reg_write && reg_addr[3:0] == 4'h4) b <= reg_wdata;
        end
endmodule
