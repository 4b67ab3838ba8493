using Microsoft.Win32.SafeHandles;
using VfioUser.Protocol;
using VfioUser.Tests.Serving;

namespace VfioUser.Tests.Quiesce;

/// <summary>Commands that move the ground under a device. The scenarios of libvfio-user's test_quiesce.py and their like.</summary>
public sealed class QuiesceTests
{
    public static TheoryData<string> Commands { get; } = ["reset", "flr", "flr by multi", "map", "unmap", "unmap all", "stop"];

    [Theory]
    [MemberData(nameof(Commands))]
    public void The_device_is_quiesced_before_and_resumed_after(string what)
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();

        ushort id = rig.Say(client, what);

        client.HearReply(id, QuiesceRig.CommandOf(what)).Header.Error.Should().Be(0u);
        rig.Device.Diary.Should().Equal(Expected(what));
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void Commands_behind_a_quiesce_wait_in_order(string what)
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();
        using LateAnswer answer = rig.Device.AnswerLater();

        ushort first = rig.Say(client, what);
        answer.ShouldBeAsked();
        string[] before = [.. rig.Device.Diary];
        ushort second = client.Say(Command.RegionWrite, RawClient.Bytes(new RegionAccess(0, (uint)RegionIndex.Bar0, 4), [9, 0, 0, 0]), MessageFlags.NoReply);
        ushort third = client.Say(Command.DeviceFeature, QuiesceRig.State(0, DeviceFeatureFlags.Get));
        rig.Device.Answer = (_, _) => new(true);
        answer.Quiesced();

        client.HearReply(first, QuiesceRig.CommandOf(what)).Header.Error.Should().Be(0u);
        client.HearReply(third, Command.DeviceFeature).Header.Error.Should().Be(0u);
        second.Should().BeLessThan(third);
        before.Should().Equal(Expected(what)[..before.Length]).And.EndWith($"asked {QuiesceRig.ReasonOf(what)}");
        rig.Device.Diary.Should().Equal(what is "stop" ? Expected(what) : [.. Expected(what), "written 9"]);
    }

    [Theory]
    [MemberData(nameof(Commands))]
    public void A_device_that_cannot_now_has_the_command_refused_and_nothing_happens(string what)
    {
        foreach (bool late in new[] { false, true })
        {
            using QuiesceRig rig = new();
            using RawClient client = rig.Attach();
            using LateAnswer answer = rig.Device.AnswerLater();
            if (!late)
                answer.IsBusy();

            ushort id = rig.Say(client, what);
            answer.ShouldBeAsked();
            if (late)
                answer.IsBusy();

            client.HearReply(id, QuiesceRig.CommandOf(what)).ShouldBeRefused(Errno.EBUSY);
            rig.Device.Diary.Where(entry => entry is not "written 1").Should().Equal($"asked {QuiesceRig.ReasonOf(what)}");
            rig.Device.Dma.Regions.Select(region => region.Address.Value).Should().Equal(QuiesceRig.Mapped);
            rig.Device.Answer = (_, _) => new(true);
            rig.Device.Forget();
            client.HearReply(rig.Say(client, what), QuiesceRig.CommandOf(what)).Header.Error.Should().Be(0u);
            rig.Device.Diary.Should().Equal(Expected(what));
        }
    }

    [Theory]
    [InlineData("reset", false)]
    [InlineData("reset", true)]
    [InlineData("flr", true)]
    [InlineData("map", true)]
    [InlineData("unmap", false)]
    [InlineData("stop", true)]
    public void An_exception_is_reported_to_the_host_and_fails_the_command(string what, bool late)
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();
        using LateAnswer answer = rig.Device.AnswerLater();
        if (!late)
            rig.Device.Answer = (_, _) => throw new InvalidOperationException("stuck");

        ushort id = rig.Say(client, what);
        if (late)
        {
            answer.ShouldBeAsked();
            answer.Fails(new InvalidOperationException("stuck"));
        }

        client.HearReply(id, QuiesceRig.CommandOf(what)).ShouldBeRefused(Errno.EIO);
        rig.Device.Diary.Should().Equal($"asked {QuiesceRig.ReasonOf(what)}");
        rig.Threw.Should().ContainSingle().Which.Exception.Message.Should().Be("stuck");
        rig.Threw.Single().Command.Should().Be(QuiesceRig.CommandOf(what));
        rig.Threw.Single().Callback.Should().Be(DeviceCallback.Quiesce);
        rig.Device.Answer = (_, _) => new(true);
        client.HearReply(rig.Say(client, what), QuiesceRig.CommandOf(what)).Header.Error.Should().Be(0u);
    }

    [Fact]
    public void A_device_that_gives_up_by_itself_has_failed()
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();
        rig.Device.Answer = (_, _) => ValueTask.FromException<bool>(new OperationCanceledException());

        client.Ask(Command.DeviceReset).ShouldBeRefused(Errno.EIO);

        rig.Threw.Should().ContainSingle();
    }

    [Fact]
    public void Invalid_commands_are_refused_without_asking_the_device()
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();

        client.Ask(Command.DeviceReset, new byte[] { 1 }).ShouldBeRefused(Errno.EINVAL);
        client.Ask(Command.DmaMap, QuiesceRig.Map(QuiesceRig.Mapped)).ShouldBeRefused(Errno.EEXIST);
        client.Ask(Command.DmaMap, QuiesceRig.Map(QuiesceRig.Fresh) with { Size = 0 }).ShouldBeRefused(Errno.EINVAL);
        client.Ask(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, 0, QuiesceRig.Mapped, 1)).ShouldBeRefused(Errno.EINVAL);
        client.Ask(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, DmaUnmapFlags.GetDirtyBitmap, QuiesceRig.Mapped, QuiesceRig.Page)).ShouldBeRefused(Errno.EINVAL);
        client.Ask(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, DmaUnmapFlags.All, 1, 0)).ShouldBeRefused(Errno.EINVAL);
        client.Ask(Command.DeviceFeature, QuiesceRig.State(MigrationState.Error)).ShouldBeRefused(Errno.EINVAL);
        client.Ask(Command.DeviceFeature, QuiesceRig.State(MigrationState.Running)).Header.Error.Should().Be(0u); // where it is already
        client.Ask(Command.DeviceFeature, QuiesceRig.State(MigrationState.Stop, DeviceFeatureFlags.Get)).Header.Error.Should().Be(0u);

        rig.Device.Diary.Should().BeEmpty();
    }

    [Fact]
    public void An_unmap_of_nothing_does_not_ask()
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();

        client.Ask(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, 0, QuiesceRig.Fresh, QuiesceRig.Page)).ShouldBeGranted<DmaUnmap>();

        rig.Device.Diary.Should().BeEmpty();
    }

    [Fact]
    public void An_unmap_of_many_regions_asks_once()
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();
        client.Ask(Command.DmaMap, QuiesceRig.Map(QuiesceRig.Fresh)).ShouldBeGranted();
        rig.Device.Forget();

        client.Ask(Command.DmaUnmap, new DmaUnmap(DmaUnmap.WireSize, 0, 0, 0x100000)).ShouldBeGranted<DmaUnmap>();

        rig.Device.Diary.Should().Equal("asked DmaUnmap", "unmapping", "unmapping", "resumed DmaUnmap");
    }

    [Theory]
    [InlineData(-1, 0x00, 0x00)] // the byte before and the low one
    [InlineData(-1, 0xFF, 0x7F)] // all of the register but the bit
    [InlineData(0, 0x7F, 0x80)] // the bit's place in the next register
    [InlineData(1, 0x80, 0x80)]
    public void Writes_beside_the_reset_bit_do_not_ask(int offset, byte first, byte second)
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();

        client.Ask(Command.RegionWrite, RawClient.Bytes(new RegionAccess((ulong)(rig.Device.ResetControl + offset), (uint)RegionIndex.Config, 2), [first, second]))
            .Header.Error.Should().Be(0u);

        rig.Device.Diary.Should().BeEmpty();
    }

    [Theory]
    [InlineData("flr")]
    [InlineData("flr by multi")]
    public void A_posted_write_that_resets_waits_too(string what)
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();
        using LateAnswer answer = rig.Device.AnswerLater();

        rig.Say(client, what, MessageFlags.NoReply);
        answer.ShouldBeAsked();
        rig.Device.Diary.Should().NotContain("reset FunctionLevel");
        answer.Quiesced();

        client.ShouldBeServed();
        rig.Device.Diary.Should().Equal(Expected(what));
    }

    [Fact]
    public void Each_reset_among_several_writes_quiesces()
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();

        client.Ask(Command.RegionWriteMulti, RawClient.Bytes(new RegionWriteMulti(3), [.. QuiesceRig.ResetByMulti(rig.Device), .. QuiesceRig.Write(1), .. QuiesceRig.ResetByMulti(rig.Device)]))
            .Header.Error.Should().Be(0u);

        rig.Device.Diary.Should().Equal(
            "asked Reset", "reset FunctionLevel", "resumed Reset", "written 1", "asked Reset", "reset FunctionLevel", "resumed Reset");
    }

    [Fact]
    public void A_device_that_throws_in_resume_counts_as_resumed()
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();
        rig.Device.Happened = entry =>
        {
            if (entry is "resumed Reset")
                throw new InvalidOperationException("no strength");
        };

        client.Ask(Command.DeviceReset).ShouldBeGranted();
        client.Ask(Command.DeviceReset).ShouldBeGranted();

        rig.Device.Diary.Should().Equal("asked Reset", "reset ClientRequested", "resumed Reset", "asked Reset", "reset ClientRequested", "resumed Reset");
        rig.Threw.Select(threw => threw.Exception.Message).Should().Equal("no strength", "no strength");
    }

    [Theory]
    [InlineData("reset", "reset ClientRequested")]
    [InlineData("flr", "reset FunctionLevel")]
    [InlineData("map", "mapped")]
    [InlineData("unmap", "unmapping")]
    [InlineData("stop", "stopped")]
    public void A_device_that_throws_while_quiesced_is_resumed_anyway(string what, string when)
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();
        rig.Device.Happened = entry =>
        {
            if (string.Equals(entry, when, StringComparison.Ordinal))
                throw new InvalidOperationException("woken");
        };

        // an unmap succeeds: the region is gone, whatever the device says
        client.HearReply(rig.Say(client, what), QuiesceRig.CommandOf(what)).Header.Error.Should().Be(what is "unmap" ? 0u : (uint)Errno.EIO);

        rig.Device.Diary.Should().EndWith($"resumed {QuiesceRig.ReasonOf(what)}");
        rig.Device.Diary.Count(entry => entry.StartsWith("resumed", StringComparison.Ordinal)).Should().Be(1);
    }

    // libvfio-user forbids it outside of callbacks; the callbacks themselves may do it.
    [Theory]
    [MemberData(nameof(Commands))]
    public void Guest_memory_can_be_used_in_the_calls_while_quiesced(string what)
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();
        if (what is "unmap" or "unmap all")
        {
            using SafeFileHandle file = Files.Sealed(QuiesceRig.Page);
            client.Ask(Command.DmaMap, QuiesceRig.Map(QuiesceRig.Fresh), file).ShouldBeGranted();
        }
        ulong address = what is "unmap" ? QuiesceRig.Fresh : QuiesceRig.Mapped;
        List<bool> read = [];
        rig.Device.Happened = _ => read.Add(rig.Device.Dma.TryRead(new Iova(address), new byte[16]));
        rig.Device.Forget();

        client.HearReply(rig.Say(client, what), QuiesceRig.CommandOf(what)).Header.Error.Should().Be(0u);

        read.Should().NotBeEmpty();
        // the last call comes when the memory is gone
        if (what is "unmap all")
            read.Should().StartWith(true).And.EndWith(false);
        else
            read.Should().AllBeEquivalentTo(true);
    }

    [Fact]
    public void Quiesce_is_called_on_the_command_thread_and_completes_on_any()
    {
        using QuiesceRig rig = new();
        using RawClient client = rig.Attach();
        List<Thread> threads = [];
        rig.Device.Happened = _ => threads.Add(Thread.CurrentThread);
        rig.Device.Answer = async (_, _) =>
        {
            await Task.Yield();
            return true;
        };

        client.Ask(Command.DeviceReset).ShouldBeGranted();

        threads.Should().HaveCount(3).And.OnlyContain(thread => thread == threads[0]);
        threads[0].Name.Should().Be("vfio-user commands");
    }

    private static string[] Expected(string what) => what switch
    {
        "reset" => ["asked Reset", "reset ClientRequested", "resumed Reset"],
        "flr" => ["asked Reset", "reset FunctionLevel", "resumed Reset"],
        "flr by multi" => ["written 1", "asked Reset", "reset FunctionLevel", "resumed Reset", "written 2"],
        "map" => ["asked DmaMap", "mapped", "resumed DmaMap"],
        "unmap" or "unmap all" => ["asked DmaUnmap", "unmapping", "resumed DmaUnmap"],
        "stop" => ["asked Migration", "stopped"], // it stays quiesced until it runs again
        _ => throw new ArgumentException(what, nameof(what)),
    };
}
