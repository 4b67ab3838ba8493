using Microsoft.Extensions.Time.Testing;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests;

/// <summary>Devices of several releases move to each other, as in a fleet that is upgraded host by host.</summary>
public class FleetUpgradeTests
{
    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 2)]
    [InlineData(2, 2)]
    [InlineData(2, 3)]
    [InlineData(3, 3)]
    [InlineData(3, 2)] // back
    public void A_device_moves_to_another_release_with_all_that_both_know(int from, int to)
    {
        FleetDevice source = FleetDevice.Filled(from);
        FleetDevice target = new(to);
        target.Limit?.Value = 55;
        target.Tick?.Start(TimeSpan.FromHours(1));

        Restored(target, Saved(source)).Should().Be(Errno.None);

        target.Control.Value.Should().Be(21);
        target.Count.Value.Should().Be(0x1_0000_0001, "it is known by its name, and lies elsewhere since release 2");
        target.Own.Should().Be(source.Own);
        target.Limit?.Value.Should().Be(from == 1 ? 100u : 7u, "what the source did not have is as after a reset");
        target.Trace?.Value.Should().Be(from < 3 ? 0u : 3u);
        target.Tick?.IsRunning.Should().Be(from >= 2);
        target.Derived.Should().Be(42, "the hook derives what write handlers would have");
        target.RestoredFrom.Should().Be(from);
        target.Memory.Span(0x10, 4).ToArray().Should().Equal(0xAB, 0xAB, 0xAB, 0xAB);
    }

    [Theory]
    [InlineData(1, 3, "saved by version 1 of the device, and this one restores from 2 on")]
    [InlineData(2, 1, "saved by version 2 of the device, which needs 2 to be restored, and this is 1")]
    [InlineData(3, 1, "which needs 2 to be restored, and this is 1")]
    public void A_release_that_refuses_a_stream_gives_the_reason(int from, int to, string reason)
    {
        byte[] stream = Saved(FleetDevice.Filled(from));
        using TestGuest guest = TestGuest.Attach(new FleetDevice(to));

        guest.Migration.Invoking(migration => migration.Restore(stream)).Should().Throw<VfioUserException>();

        guest.Log.Should().Contain(line => line.Contains(reason));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Streams_of_these_releases_are_those_that_are_kept(int release)
    {
        string stream = Convert.ToHexString(WithoutMemory(Saved(FleetDevice.Filled(release))));

        stream.Should().Be(Kept(release), "the format is frozen: older and newer servers read it");
    }

    [Theory]
    [InlineData(1, 2)]
    [InlineData(2, 3)]
    [InlineData(3, 2)]
    public void A_kept_stream_is_restored(int release, int by)
    {
        FleetDevice target = new(by);

        Restored(target, WithMemory(Convert.FromHexString(Kept(release)))).Should().Be(Errno.None);

        target.Count.Value.Should().Be(0x1_0000_0001);
        target.Own.Should().Be(0x1122_3344_5566_7788);
    }

    [Fact]
    public void Registers_that_are_not_saved_keep_nothing_of_the_source()
    {
        FleetDevice source = FleetDevice.Filled(2);
        using (TestGuest guest = TestGuest.Attach(source))
            guest.Registers["CACHE"].Write(9);
        FleetDevice target = new(2);

        Restored(target, Saved(source)).Should().Be(Errno.None);

        using TestGuest moved = TestGuest.Attach(target);
        moved.Registers["CACHE"].Read().Should().Be(0);
    }

    [Fact]
    public void A_restore_hook_that_throws_fails_the_restore()
    {
        using TestGuest guest = TestGuest.Attach(new FleetDevice(2) { RefusesRestore = true }, new() { FailOnDeviceException = false });
        byte[] stream = Saved(FleetDevice.Filled(2));

        guest.Migration.Invoking(migration => migration.Restore(stream)).Should().Throw<VfioUserException>();

        guest.AcceptDeviceExceptions().Should().ContainSingle().Which.Callback.Should().Be(DeviceCallback.Restored);
        guest.Migration.GetState().Should().Be(MigrationState.Error);
    }

    [Fact]
    public void Memory_in_pre_copy_is_saved_again_only_where_it_has_changed()
    {
        FleetDevice source = FleetDevice.Filled(3);
        byte[] running;
        byte[] stopped;
        using (TestGuest guest = TestGuest.Attach(source))
        {
            guest.Migration.SetState(MigrationState.PreCopy);
            running = guest.Migration.Read();
            source.Memory.Span(0x1800, 1)[0] = 0x77;
            guest.Migration.SetState(MigrationState.StopCopy);
            stopped = guest.Migration.Read();
        }
        using (TestGuest guest = TestGuest.Attach(source))
        {
            guest.Migration.SetState(MigrationState.PreCopy);
            guest.Migration.Read().Length.Should().BeGreaterThan(0x2000);
            guest.Migration.SetState(MigrationState.StopCopy);
            guest.Migration.Read().Length.Should().BeLessThan(0x1800, "no memory has changed");
        }
        FleetDevice target = new(3);

        Restored(target, [.. running, .. stopped]).Should().Be(Errno.None);

        running.Length.Should().BeGreaterThan(0x2000);
        stopped.Length.Should().BeGreaterThan(0x2000, "the piece that has changed");
        target.Memory.Span(0, 0x2000).SequenceEqual(source.Memory.Span(0, 0x2000)).Should().BeTrue();
    }

    [Fact]
    public void Memory_that_is_skipped_is_not_in_the_stream()
    {
        FleetDevice source = FleetDevice.Filled(2);
        source.Memory.Migration = MemoryMigration.Skip;
        FleetDevice target = new(2);

        byte[] stream = Saved(source);
        Restored(target, stream).Should().Be(Errno.None);

        stream.Length.Should().BeLessThan(0x1800);
        target.Memory.Span(0x10, 1)[0].Should().Be(0);
    }

    [Theory]
    [InlineData(2, 1, null)]
    [InlineData(0, 1, null)]
    [InlineData(1, 1, 2)]
    [InlineData(65536, 1, null)]
    public void Versions_that_contradict_each_other_are_refused(int version, int minimum, int? readableFrom)
    {
        if (version == 2)
            minimum = 3;
        Action declare = () => _ = new Versioned(new() { Version = version, MinimumVersion = minimum, ReadableFrom = readableFrom });

        declare.Should().Throw<ArgumentException>();
    }

    private static string Kept(int release) =>
        File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Migration", "Golden", $"release{release}.hex")).ReplaceLineEndings("");

    // zeros of the memory are left out of the files, so that they are small
    private static byte[] WithoutMemory(byte[] stream) => [.. stream[..EndOfContent(stream)], .. stream[(EndOfContent(stream) + 0x1FE0)..]];

    private static byte[] WithMemory(byte[] stream) => [.. stream[..EndOfContent(stream)], .. new byte[0x1FE0], .. stream[EndOfContent(stream)..]];

    // 32 bytes into the memory
    private static int EndOfContent(byte[] stream) => stream.AsSpan().IndexOf("\u0005\0\0\0\u0010\u0020\0\0"u8) + 8 + 16 + 0x20;

    private static byte[] Saved(PciDevice device)
    {
        // time stands still, so that what is left of a timer is always the same
        using TestGuest guest = TestGuest.Attach(device, new() { TimeProvider = new FakeTimeProvider(), EnableBusMaster = false });
        return guest.Migration.Save();
    }

    private static Errno Restored(PciDevice device, byte[] stream)
    {
        using TestGuest guest = TestGuest.Attach(device);
        try
        {
            guest.Migration.Restore(stream);
            return Errno.None;
        }
        catch (VfioUserException e)
        {
            return e.Errno;
        }
    }

    private sealed class Versioned : PciDevice
    {
        public Versioned(MigrationOptions options)
            : base(new PciId(1, 2), PciClass.Other) => EnableMigration(options);
    }
}
