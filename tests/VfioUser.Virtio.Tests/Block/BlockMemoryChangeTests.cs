using System.Collections.Concurrent;

namespace VfioUser.Virtio.Tests.Block;

/// <summary>A client unmaps the memory of requests that are with the disk, and maps it again a moment later.</summary>
public sealed class BlockMemoryChangeTests
{
    private readonly BlockingCollection<TaskCompletionSource> _held = [];

    [Theory]
    [InlineData(false, 512)]
    [InlineData(true, 512)]
    [InlineData(true, 256 << 10)] // in pieces
    public void Requests_end_well_although_the_disk_answers_meanwhile(bool blocks, int length)
    {
        using ScriptedDisk disk = new(1 << 20, blocks) { Before = static (_, _, _) => Task.CompletedTask };
        using BlockGuest guest = new(disk);
        byte[] pattern = BlockGuest.Pattern(length);
        guest.Write(0, pattern);
        disk.Before = Hold;
        PendingRequest write = guest.Post(BlockRequestType.Write, 1024, pattern);
        (PendingRequest read, Iova data) = PostRead(guest, length);
        TaskCompletionSource[] held = [_held.Take(), _held.Take()];

        guest.Guest.Memory.Unmap();
        disk.Before = static (_, _, _) => Task.CompletedTask;
        foreach (TaskCompletionSource access in held)
            access.SetResult();
        guest.Device.Status.Should().NotHaveFlag(VirtioStatus.NeedsReset);
        guest.Guest.Memory.Map();

        new[] { guest.Queue.Take().Id, guest.Queue.Take().Id }.Should().BeEquivalentTo([write.Id, read.Id]);
        guest.StatusOf(write).Should().Be(BlockStatus.Ok);
        guest.StatusOf(read).Should().Be(BlockStatus.Ok);
        Bytes(guest, data, length).Should().Equal(pattern);
        guest.Read(1024, length).Should().Equal(pattern);
    }

    [Theory]
    [InlineData(false, 512)]
    [InlineData(true, 512)]
    [InlineData(true, 256 << 10)] // in pieces
    public void Requests_end_well_although_bus_mastering_is_off_when_the_disk_answers(bool blocks, int length)
    {
        using ScriptedDisk disk = new(1 << 20, blocks) { Before = static (_, _, _) => Task.CompletedTask };
        using BlockGuest guest = new(disk);
        PciFunction function = guest.Driver.Function;
        byte[] pattern = BlockGuest.Pattern(length);
        guest.Write(0, pattern);
        disk.Before = Hold;
        (PendingRequest read, Iova data) = PostRead(guest, length);
        TaskCompletionSource held = _held.Take();

        function.ClearCommand(PciCommands.BusMaster);
        disk.Before = static (_, _, _) => Task.CompletedTask;
        held.SetResult();
        PendingRequest write = guest.Post(BlockRequestType.Write, 1024, pattern);
        function.SetCommand(PciCommands.BusMaster);

        new[] { guest.Queue.Take().Id, guest.Queue.Take().Id }.Should().BeEquivalentTo([read.Id, write.Id]);
        guest.StatusOf(write).Should().Be(BlockStatus.Ok);
        guest.StatusOf(read).Should().Be(BlockStatus.Ok);
        Bytes(guest, data, length).Should().Equal(pattern);
        guest.Read(1024, length).Should().Equal(pattern);
    }

    [Fact]
    public void Requests_whose_memory_does_not_come_back_end_with_the_reset()
    {
        using ScriptedDisk disk = new(1 << 20) { Before = Hold };
        using BlockGuest guest = new(disk);
        PostRead(guest, 512);
        TaskCompletionSource held = _held.Take();
        guest.Guest.Memory.Unmap();
        held.SetResult();

        guest.Driver.Write(0x14, (byte)0);

        SpinWait.SpinUntil(() => guest.Driver.ReadStatus() == 0, TimeSpan.FromSeconds(60)).Should().BeTrue();
        guest.Guest.Memory.Map();
        disk.Before = static (_, _, _) => Task.CompletedTask;
        guest.Driver.Start();
        guest.Read(0, 512).Should().Equal(new byte[512]);
    }

    [Fact]
    public void Memory_that_never_was_is_an_error_of_the_request()
    {
        using BlockGuest guest = new(new ScriptedDisk(1 << 20));
        guest.Guest.Memory.Unmap();
        guest.Guest.Memory.Map(); // once was a change
        Iova status = guest.Guest.Place([0xFF]);
        guest.Queue.Add(
            new VirtioPart(guest.Guest.Place(BlockGuest.Header(BlockRequestType.Read)), BlockHeader.Size, writable: false),
            new VirtioPart(new Iova(1ul << 60), 512, writable: true),
            new VirtioPart(status, 1, writable: true));
        guest.Queue.Notify();

        guest.Queue.Take();

        guest.Guest.Memory.Read<byte>(status).Should().Be((byte)BlockStatus.IoError);
    }

    private static (PendingRequest Request, Iova Data) PostRead(BlockGuest guest, int length)
    {
        Iova status = guest.Guest.Place([0xFF]);
        Iova data = guest.Guest.Memory.Allocate((ulong)length);
        ushort id = guest.Queue.Add(
            new VirtioPart(guest.Guest.Place(BlockGuest.Header(BlockRequestType.Read)), BlockHeader.Size, writable: false),
            new VirtioPart(data, length, writable: true),
            new VirtioPart(status, 1, writable: true));
        guest.Queue.Notify();
        return (new PendingRequest(id, status), data);
    }

    private static byte[] Bytes(BlockGuest guest, Iova at, int length)
    {
        byte[] bytes = new byte[length];
        guest.Guest.Memory.Read(at, bytes);
        return bytes;
    }

    private Task Hold(string call, long offset, CancellationToken cancellation)
    {
        TaskCompletionSource held = new(TaskCreationOptions.RunContinuationsAsynchronously);
        _held.Add(held, cancellation);
        return held.Task;
    }
}
