using FluentAssertions;
using VfioUser.Client;
using VfioUser.Protocol;
using VfioUser.Testing;
using Xunit;

namespace VfioUser.Tests;

public class DeviceErrnoTests
{
    private readonly Card _card = new();

    [Theory]
    [InlineData("read", Errno.EAGAIN)]
    [InlineData("write", Errno.EPERM)]
    [InlineData("register read", Errno.ENXIO)]
    [InlineData("register write", Errno.EBUSY)]
    [InlineData("config write", Errno.EACCES)]
    [InlineData("reset", Errno.ENODEV)]
    [InlineData("quiesce", Errno.ENOMEM)]
    [InlineData("stop", Errno.ENOSPC)]
    [InlineData("save", Errno.EFAULT)]
    public void The_client_gets_the_error_that_the_device_chose(string what, Errno errno)
    {
        using TestGuest guest = TestGuest.Attach(_card);
        (_card.Refused, _card.Errno) = (what, errno);
        Action command = what switch
        {
            "read" => () => guest.Bar0.Read<uint>(0x100),
            "write" => () => guest.Bar0.Write(0x100, 1u),
            "register read" => () => guest.Bar0.Read<uint>(0),
            "register write" => () => guest.Bar0.Write(0, 1u),
            "config write" => () => guest.Config.Write(0xE0, 1u),
            "reset" or "quiesce" => guest.Reset,
            "stop" => () => guest.Client.SetMigrationState(MigrationState.Stop),
            _ => () => guest.Migration.Save(),
        };

        command.Should().Throw<VfioUserException>().Which.Errno.Should().Be(errno);

        _card.Refused = "";
        guest.AcceptDeviceExceptions().Should().BeEmpty("it is no failure of the device");
        guest.Client.GetDeviceInfo().RegionCount.Should().BePositive("the session lives");
    }

    [Fact]
    public void The_log_names_the_register_that_refused()
    {
        using TestGuest guest = TestGuest.Attach(_card);
        (_card.Refused, _card.Errno) = ("register write", Errno.EBUSY);

        guest.Bar0.Invoking(bar => bar.Write(0, 1u)).Should().Throw<VfioUserException>();

        guest.Log.Should().ContainMatch("*RegionWrite*EBUSY: the device refuses it, in RegionWrite at 0x0 of Bar0 (CTRL{0})*");
    }

    [Fact]
    public void None_is_no_error()
    {
        FluentActions.Invoking(() => new DeviceErrnoException(Errno.None)).Should().Throw<ArgumentOutOfRangeException>();
        new DeviceErrnoException("no").Errno.Should().Be(Errno.EIO);
        new DeviceErrnoException().Errno.Should().Be(Errno.EIO);
    }

    private sealed class Card : PciDevice
    {
        public Card()
            : base(new PciId(Vendor: 0x1B36, Device: 0x00F1), PciClass.Other)
        {
            Bar bar = AddBar(0, BarKind.Memory32, 0x1000, (offset, _) => Check(offset == 0x100 ? "read" : ""), (_, _) => Check("write"));
            bar.AddRegister<uint>(0, new() { Name = "CTRL{0}", OnRead = stored => Check("register read", stored), OnWrite = _ => Check("register write") });
            Config.AddField(0xE0, 0u, writeMask: uint.MaxValue);
            Config.AddWriteHandler(0xE0, 4, (_, _) => Check("config write"));
            EnableMigration(_ => Check("save"), _ => { });
        }

        public string Refused { get; set; } = "";

        public Errno Errno { get; set; }

        protected override void OnReset(ResetReason reason) => Check("reset");

        protected override void OnStopped() => Check("stop");

        protected override ValueTask<bool> OnQuiesceAsync(QuiesceReason reason, CancellationToken cancellation)
        {
            if (reason == QuiesceReason.Reset)
                Check("quiesce");
            return new(true);
        }

        private uint Check(string what, uint value = 0) =>
            what.Length > 0 && string.Equals(what, Refused, StringComparison.Ordinal) ? throw new DeviceErrnoException(Errno) : value;
    }
}
