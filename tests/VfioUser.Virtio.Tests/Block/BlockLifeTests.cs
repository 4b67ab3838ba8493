namespace VfioUser.Virtio.Tests.Block;

/// <summary>Resets, and migration, with requests under way.</summary>
public sealed class BlockLifeTests
{
    private static ScriptedDisk NeverAnswering() => new(1 << 20)
    {
        Before = static (call, _, cancellation) => call is "write" ? Task.Delay(Timeout.Infinite, cancellation) : Task.CompletedTask,
    };

    [Fact]
    public void Reset_ends_although_the_disk_never_answers()
    {
        using ScriptedDisk disk = NeverAnswering();
        using BlockGuest guest = new(disk);
        guest.Post(BlockRequestType.Write, 0, new byte[512]);
        SpinWait.SpinUntil(() => !disk.Calls.IsEmpty, TimeSpan.FromSeconds(60)).Should().BeTrue();

        guest.Driver.Start();

        guest.Read(0, 512).Should().Equal(new byte[512]);
    }

    [Fact]
    public void Reset_of_a_queue_ends_its_requests_and_no_others()
    {
        using ScriptedDisk disk = NeverAnswering();
        using BlockGuest guest = new(disk);
        guest.Post(BlockRequestType.Write, 0, new byte[512], queue: 1);
        PendingRequest other = guest.Post(BlockRequestType.Write, 0, new byte[512], queue: 2);
        SpinWait.SpinUntil(() => disk.Calls.Count == 2, TimeSpan.FromSeconds(60)).Should().BeTrue();

        guest.Driver.ResetQueue(1);

        guest.Ask(BlockRequestType.Read, 0, 512, queue: 1).Status.Should().Be(BlockStatus.Ok);
        guest.Guest.Memory.Read<byte>(other.Status).Should().Be(0xFF);
    }

    [Fact]
    public void Function_is_reset_although_the_disk_never_answers()
    {
        using ScriptedDisk disk = NeverAnswering();
        using BlockGuest guest = new(disk);
        guest.Post(BlockRequestType.Write, 0, new byte[512]);
        SpinWait.SpinUntil(() => !disk.Calls.IsEmpty, TimeSpan.FromSeconds(60)).Should().BeTrue();

        guest.Guest.Reset();

        guest.Device.Status.Should().Be(VirtioStatus.None);
    }

    [Theory]
    [InlineData(Layout.SplitIndirect)]
    [InlineData(Layout.PackedIndirect)]
    public async Task Migration_waits_for_the_disk_and_the_driver_goes_on(Layout layout)
    {
        TaskCompletionSource held = new(TaskCreationOptions.RunContinuationsAsynchronously);
        using ScriptedDisk disk = new(1 << 20, hasCache: true) { Before = (call, _, _) => call is "write" ? held.Task : Task.CompletedTask };
        using BlockGuest guest = new(disk, layout: layout);
        guest.Driver.WriteConfig(BlockConfig.WritebackOffset, (byte)1);
        PendingRequest request = guest.Post(BlockRequestType.Write, 0, BlockGuest.Pattern(512));
        SpinWait.SpinUntil(() => !disk.Calls.IsEmpty, TimeSpan.FromSeconds(60)).Should().BeTrue();
        using VirtioBlock target = new(disk);

        Task moving = Task.Run(() => guest.MoveTo(target));
        held.SetResult();
        await moving;

        guest.Queue.Take().Id.Should().Be(request.Id);
        guest.StatusOf(request).Should().Be(BlockStatus.Ok);
        disk.Calls.Should().StartWith(["write", "flush"]);
        guest.Read(0, 512).Should().Equal(BlockGuest.Pattern(512));
    }

    [Fact]
    public void Migration_to_a_device_with_another_disk_is_refused()
    {
        using BlockGuest guest = new();
        using MemoryDisk other = new(BlockGuest.DiskSize);
        using VirtioBlock target = new(other);

        FluentActions.Invoking(() => guest.MoveTo(target)).Should().Throw<Exception>();
    }
}
