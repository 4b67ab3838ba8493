using Microsoft.Extensions.Time.Testing;
using Nvme.Driver;
using VfioUser.Nvme.Tests.Support;
using VfioUser.Testing;

namespace VfioUser.Nvme.Tests.Admin;

public class KeepAliveTests
{
    private const uint Timer = 0x0F;

    [Fact]
    public void Driver_that_falls_silent_has_its_controller_stopped()
    {
        using Machine machine = NewMachine();
        SetTimer(machine.Driver, 5_000);

        machine.Guest.Advance(TimeSpan.FromSeconds(4));
        bool early = machine.Driver.HasFailed;
        machine.Guest.Advance(TimeSpan.FromSeconds(2));

        early.Should().BeFalse();
        machine.Driver.HasFailed.Should().BeTrue();
        machine.Log.Should().ContainMatch("*no Keep Alive for 5000 ms*");
        machine.Driver.Disable();
        machine.Driver.Enable();
        byte[] errors = machine.Page(NewCommand.Admin(AdminOpcode.GetLogPage, 0, default, (uint)LogPageId.Error | 15u << 16));
        (BitConverter.ToUInt16(errors, 12) >> 1 & 0x7FF).Should().Be((ushort)Status.KeepAliveTimeoutExpired);
    }

    [Fact]
    public void Keep_Alive_starts_the_time_again()
    {
        using Machine machine = NewMachine();
        SetTimer(machine.Driver, 5_000);

        for (int i = 0; i < 5; i++)
        {
            machine.Guest.Advance(TimeSpan.FromSeconds(4));
            NvmeDriver.Expect(machine.Admin.Execute(NewCommand.Admin(AdminOpcode.KeepAlive)));
        }

        machine.Driver.HasFailed.Should().BeFalse();
    }

    [Theory]
    [InlineData(0, 0)]
    [InlineData(1, 1_000)]
    [InlineData(1_000, 1_000)]
    [InlineData(1_001, 2_000)]
    [InlineData(uint.MaxValue, uint.MaxValue)]
    public void Time_is_rounded_up_to_what_the_controller_says_it_can(uint asked, uint expected)
    {
        using Machine machine = NewMachine();
        byte[] identity = machine.Page(NewCommand.Admin(AdminOpcode.Identify, dword10: 1));

        SetTimer(machine.Driver, asked);

        BitConverter.ToUInt16(identity, 320).Should().Be(10, "in units of 100 ms");
        GetTimer(machine.Driver).Should().Be(expected);
    }

    [Fact]
    public void No_time_runs_for_a_driver_that_takes_it_back_or_resets_the_controller()
    {
        using Machine machine = NewMachine();
        SetTimer(machine.Driver, 1_000);
        SetTimer(machine.Driver, 0);
        machine.Guest.Advance(TimeSpan.FromSeconds(10));
        bool takenBack = machine.Driver.HasFailed;
        SetTimer(machine.Driver, 1_000);

        machine.Driver.Disable();
        machine.Driver.Enable();
        machine.Guest.Advance(TimeSpan.FromSeconds(10));

        takenBack.Should().BeFalse();
        machine.Driver.HasFailed.Should().BeFalse();
        GetTimer(machine.Driver).Should().Be(0);
    }

    [Fact]
    public void Command_that_is_under_way_during_a_reset_sets_no_time_for_the_next_driver()
    {
        using Machine machine = NewMachine();
        for (int i = 0; i < 200; i++)
        {
            // as many as there is room for, so that one is under way
            for (int j = 1; j < machine.Admin.Entries; j++)
                machine.Admin.Put(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: Timer, dword11: 1_000));
            machine.Admin.Ring();
            machine.Driver.Disable();
            machine.Driver.Enable();

            GetTimer(machine.Driver).Should().Be(0, "it is reset {0}", i);
        }
        machine.Guest.Advance(TimeSpan.FromSeconds(10));
        machine.Driver.HasFailed.Should().BeFalse();
    }

    [Fact]
    public void Time_goes_on_at_the_target_of_a_migration()
    {
        FakeTimeProvider time = new();
        MemoryDisk disk = new(1 << 20);
        using Machine source = new([new NvmeNamespace(disk)], time: time);
        SetTimer(source.Driver, 5_000);
        source.Guest.Advance(TimeSpan.FromSeconds(3));

        using NvmeController target = new([disk]);
        using TestGuest guest = source.Guest.MigrateTo(target);
        using NvmeDriver driver = NvmeDriver.Moved(source.Driver, guest);
        uint milliseconds = GetTimer(driver);
        guest.Advance(TimeSpan.FromSeconds(1));
        bool early = driver.HasFailed;
        guest.Advance(TimeSpan.FromSeconds(2));

        milliseconds.Should().Be(5_000);
        early.Should().BeFalse();
        driver.HasFailed.Should().BeTrue();
    }

    private static Machine NewMachine() => new([new NvmeNamespace(new MemoryDisk(1 << 20))], time: new FakeTimeProvider());

    private static void SetTimer(NvmeDriver driver, uint milliseconds) =>
        NvmeDriver.Expect(driver.Admin.Execute(NewCommand.Admin(AdminOpcode.SetFeatures, dword10: Timer, dword11: milliseconds)));

    private static uint GetTimer(NvmeDriver driver) =>
        NvmeDriver.Expect(driver.Admin.Execute(NewCommand.Admin(AdminOpcode.GetFeatures, dword10: Timer))).Result;
}
