using System.Runtime.InteropServices;
using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;
using VfioUser.Testing;

namespace VfioUser.Nvme.Tests.Io;

public class AtomicBlockTests
{
    private const int BlockSize = 4096;
    private const int PieceSize = 16;

    // a block in small pieces, so that copying takes its time
    private static Command Scattered(Machine machine, IoOpcode opcode, Iova block)
    {
        SglDescriptor[] pieces = [.. Enumerable.Range(0, BlockSize / PieceSize).Select(i =>
            // the other way round: neighbours would be one piece
            new SglDescriptor((block + (ulong)(BlockSize - PieceSize * (i + 1))).Value, PieceSize, 0, 0, (byte)((int)SglType.DataBlock << 4)))];
        Iova list = machine.Guest.Place(MemoryMarshal.AsBytes<SglDescriptor>(pieces));
        ulong length = (ulong)(pieces.Length * SglDescriptor.WireSize);
        return NewCommand.Io(opcode, 0, 1, list) with { Flags = 1 << 6, Prp2 = length | (ulong)SglType.LastSegment << 60 };
    }

    [Theory]
    [InlineData((byte)IoOpcode.Read)]
    [InlineData((byte)IoOpcode.Write)]
    [InlineData((byte)IoOpcode.WriteZeroes)]
    public void Block_that_one_copies_is_waited_for_and_others_are_not(byte opcode)
    {
        MemoryDisk disk = new(1 << 20);
        // by message: otherwise the Command thread may be the one that waits
        using Machine machine = new(GuestMemoryKind.TwinSocket, disks: [disk]);
        DriverQueue queue = machine.Driver.CreateQueue(1);
        DriverQueue other = machine.Driver.CreateQueue(2);
        Iova page = machine.NewPage();
        bool early;

        using (disk.LockOf(0).EnterScope())
        {
            queue.Submit(NewCommand.Io((IoOpcode)opcode, 0, 1, page));
            for (ulong i = 1; i < 8; i++)
                NvmeDriver.Expect(other.Execute(NewCommand.Io(IoOpcode.Read, i * 128, 1, page)));
            early = queue.TryTake(out _);
        }

        early.Should().BeFalse();
        NvmeDriver.Expect(queue.Take());
    }

    [Fact]
    public async Task Block_is_read_as_one_of_two_writers_wrote_it_and_never_as_a_mixture()
    {
        using Machine machine = new(options: new NvmeControllerOptions { IoQueues = 3, Workers = 3, BlockSize = BlockSize });
        DriverQueue[] queues = [.. Enumerable.Range(1, 3).Select(id => machine.Driver.CreateQueue((ushort)id))];
        Iova read = machine.Guest.Memory.Allocate(BlockSize);
        Command[] writes = [.. new byte[] { 0xAA, 0xBB }.Select(value =>
        {
            byte[] block = new byte[BlockSize];
            Array.Fill(block, value);
            return Scattered(machine, IoOpcode.Write, machine.Guest.Place(block));
        })];
        Command reading = Scattered(machine, IoOpcode.Read, read);
        NvmeDriver.Expect(queues[0].Execute(writes[0]));
        using CancellationTokenSource over = new();

        Task[] writers = [.. writes.Select((write, i) => Task.Run(() =>
        {
            while (!over.IsCancellationRequested)
                NvmeDriver.Expect(queues[i].Execute(write));
        }))];
        int mixed = 0;
        for (int i = 0; i < 500; i++)
        {
            NvmeDriver.Expect(queues[2].Execute(reading));
            byte[] found = machine.Read(read, BlockSize);
            mixed += found.AsSpan().ContainsAnyExcept(found[0]) ? 1 : 0;
        }
        await over.CancelAsync();
        await Task.WhenAll(writers);

        mixed.Should().Be(0);
    }

    [Fact]
    public async Task Block_is_read_as_written_or_as_zeros_while_it_is_zeroed()
    {
        using Machine machine = new(options: new NvmeControllerOptions { IoQueues = 2, Workers = 2, BlockSize = BlockSize });
        DriverQueue writer = machine.Driver.CreateQueue(1);
        DriverQueue reader = machine.Driver.CreateQueue(2);
        Iova read = machine.Guest.Memory.Allocate(BlockSize);
        byte[] block = new byte[BlockSize];
        Array.Fill(block, (byte)0xAA);
        Iova data = machine.Guest.Place(block);
        using CancellationTokenSource over = new();

        Task writing = Task.Run(() =>
        {
            while (!over.IsCancellationRequested)
            {
                NvmeDriver.Expect(writer.Execute(NewCommand.Io(IoOpcode.Write, 0, 1, data)));
                NvmeDriver.Expect(writer.Execute(NewCommand.Io(IoOpcode.WriteZeroes, 0, 1)));
            }
        });
        Command reading = Scattered(machine, IoOpcode.Read, read);
        int mixed = 0;
        for (int i = 0; i < 500; i++)
        {
            NvmeDriver.Expect(reader.Execute(reading));
            byte[] found = machine.Read(read, BlockSize);
            mixed += found.AsSpan().ContainsAnyExcept(found[0]) ? 1 : 0;
        }
        await over.CancelAsync();
        await writing;

        mixed.Should().Be(0);
    }
}
