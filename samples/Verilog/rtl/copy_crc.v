// A copy engine that computes a checksum on the way: reads LENGTH bytes at SRC, writes them to DST if COPY is set, and leaves their
// CRC-32C in CRC.
//
//   0x00  ID       RO   0x43524332
//   0x04  CTRL     RW   0 START (reads as zero), 1 COPY, 2 INTERRUPT
//   0x08  STATUS        0 BUSY (RO), 1 DONE (W1C), 2 ERROR (W1C): an address that is no multiple of 8, or a bus error
//   0x0C  LENGTH   RW   bytes, 24 bits
//   0x10  SRC      RW   0x14 has the upper half
//   0x18  DST      RW   0x1C has the upper half
//   0x20  CRC      RO
//   0x24  CYCLES   RO   that the last job took
//
// The interrupt is a level: DONE or ERROR, while INTERRUPT is set.
module copy_crc (
    input  wire        clk,
    input  wire        rst,

    // registers: a transfer is the edge at which valid and ready are high
    input  wire        reg_valid,
    input  wire        reg_write,
    input  wire [11:0] reg_addr,
    input  wire [31:0] reg_wdata,
    input  wire [3:0]  reg_wstrb,
    output wire        reg_ready,
    output reg  [31:0] reg_rdata,

    // memory, in beats of 8 bytes: a request stays as it is until it is answered
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
    localparam [31:0] ID = 32'h4352_4332;

    localparam [1:0] IDLE = 2'd0, READ = 2'd1, SUM = 2'd2, WRITE = 2'd3;

    reg [1:0]  state;
    reg        copy, interrupt, done, error;
    reg [23:0] length, left;
    reg [63:0] src, dst, from, to, data;
    reg [31:0] crc, cycles;

    wire       busy = state != IDLE;
    wire       last = left <= 24'd8;
    wire [7:0] lanes = last ? 8'hFF >> (4'd8 - left[3:0]) : 8'hFF; // left is never 0 here

    assign reg_ready = 1'b1;
    assign dma_valid = state == READ || state == WRITE;
    assign dma_write = state == WRITE;
    assign dma_addr = dma_write ? to : from;
    assign dma_wdata = data;
    assign dma_wstrb = lanes;
    assign irq = interrupt && (done || error);
    assign clk_req = busy;

    wire write = reg_valid && reg_write;
    wire start = write && reg_addr == 12'h004 && reg_wstrb[0] && reg_wdata[0] && !busy;
    wire valid_job = src[2:0] == 3'd0 && (!reg_wdata[1] || dst[2:0] == 3'd0);

    function [31:0] merged(input [31:0] old, input [31:0] value, input [3:0] strobes);
        merged = {
            strobes[3] ? value[31:24] : old[31:24],
            strobes[2] ? value[23:16] : old[23:16],
            strobes[1] ? value[15:8] : old[15:8],
            strobes[0] ? value[7:0] : old[7:0]
        };
    endfunction

    function [31:0] sum_byte(input [31:0] sum, input [7:0] value);
        integer i;
        begin
            sum_byte = sum ^ {24'd0, value};
            for (i = 0; i < 8; i = i + 1)
                sum_byte = sum_byte[0] ? (sum_byte >> 1) ^ 32'h82F6_3B78 : sum_byte >> 1;
        end
    endfunction

    function [31:0] sum_beat(input [31:0] sum, input [63:0] beat, input [7:0] enabled);
        integer i;
        begin
            sum_beat = sum;
            for (i = 0; i < 8; i = i + 1)
                if (enabled[i])
                    sum_beat = sum_byte(sum_beat, beat[8 * i +: 8]);
        end
    endfunction

    always @(*)
        case (reg_addr)
            12'h000: reg_rdata = ID;
            12'h004: reg_rdata = {29'd0, interrupt, copy, 1'b0};
            12'h008: reg_rdata = {29'd0, error, done, busy};
            12'h00C: reg_rdata = {8'd0, length};
            12'h010: reg_rdata = src[31:0];
            12'h014: reg_rdata = src[63:32];
            12'h018: reg_rdata = dst[31:0];
            12'h01C: reg_rdata = dst[63:32];
            12'h020: reg_rdata = ~crc;
            12'h024: reg_rdata = cycles;
            default: reg_rdata = 32'd0;
        endcase

    // what the driver sets up for the next job; the one that runs has its own
    always @(posedge clk)
        if (rst) begin
            copy <= 1'b0;
            interrupt <= 1'b0;
            length <= 24'd0;
            src <= 64'd0;
            dst <= 64'd0;
        end else if (write)
            case (reg_addr)
                12'h004: if (reg_wstrb[0]) {interrupt, copy} <= reg_wdata[2:1];
                12'h00C: begin
                    if (reg_wstrb[0]) length[7:0] <= reg_wdata[7:0];
                    if (reg_wstrb[1]) length[15:8] <= reg_wdata[15:8];
                    if (reg_wstrb[2]) length[23:16] <= reg_wdata[23:16];
                end
                12'h010: src[31:0] <= merged(src[31:0], reg_wdata, reg_wstrb);
                12'h014: src[63:32] <= merged(src[63:32], reg_wdata, reg_wstrb);
                12'h018: dst[31:0] <= merged(dst[31:0], reg_wdata, reg_wstrb);
                12'h01C: dst[63:32] <= merged(dst[63:32], reg_wdata, reg_wstrb);
                default: ;
            endcase

    // the job
    reg writes;
    always @(posedge clk)
        if (rst) begin
            state <= IDLE;
            done <= 1'b0;
            error <= 1'b0;
            writes <= 1'b0;
            left <= 24'd0;
            from <= 64'd0;
            to <= 64'd0;
            data <= 64'd0;
            crc <= 32'hFFFF_FFFF;
            cycles <= 32'd0;
        end else begin
            if (write && reg_addr == 12'h008 && reg_wstrb[0]) begin
                if (reg_wdata[1]) done <= 1'b0;
                if (reg_wdata[2]) error <= 1'b0;
            end
            if (busy)
                cycles <= cycles + 32'd1;
            case (state)
                IDLE: if (start) begin
                    done <= 1'b0;
                    error <= 1'b0;
                    writes <= reg_wdata[1];
                    left <= length;
                    from <= src;
                    to <= dst;
                    crc <= 32'hFFFF_FFFF;
                    cycles <= 32'd0;
                    if (!valid_job)
                        error <= 1'b1;
                    else if (length == 24'd0)
                        done <= 1'b1;
                    else
                        state <= READ;
                end
                READ: if (dma_ready) begin
                    data <= dma_rdata;
                    from <= from + 64'd8;
                    state <= SUM;
                    if (dma_error) begin
                        error <= 1'b1;
                        state <= IDLE;
                    end
                end
                SUM: begin
                    crc <= sum_beat(crc, data, lanes);
                    if (writes)
                        state <= WRITE;
                    else begin
                        left <= left - 24'd8;
                        state <= READ;
                        if (last) begin
                            done <= 1'b1;
                            state <= IDLE;
                        end
                    end
                end
                WRITE: if (dma_ready) begin
                    to <= to + 64'd8;
                    left <= left - 24'd8;
                    state <= READ;
                    if (dma_error) begin
                        error <= 1'b1;
                        state <= IDLE;
                    end else if (last) begin
                        done <= 1'b1;
                        state <= IDLE;
                    end
                end
            endcase
        end
endmodule
