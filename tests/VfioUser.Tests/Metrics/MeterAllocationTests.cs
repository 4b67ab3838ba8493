using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Logging.Abstractions;
using VfioUser.Protocol;
using VfioUser.Testing;

namespace VfioUser.Tests.Metrics;

/// <summary>Whether somebody listens or not: what happens often allocates nothing.</summary>
public sealed class MeterAllocationTests : IDisposable
{
    private readonly Factory _factory = new();
    private readonly MeterListener _listener = new();
    private long _heard;

    public MeterAllocationTests()
    {
        _listener.InstrumentPublished = (instrument, listener) =>
        {
            if (ReferenceEquals(instrument.Meter.Scope, _factory))
                listener.EnableMeasurementEvents(instrument);
        };
        _listener.SetMeasurementEventCallback<long>((_, _, _, _) => Interlocked.Increment(ref _heard));
        _listener.SetMeasurementEventCallback<double>((_, _, _, _) => Interlocked.Increment(ref _heard));
    }

    public void Dispose()
    {
        _listener.Dispose();
        _factory.Dispose();
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Commands_allocate_nothing(bool listening)
    {
        Listen(listening);
        ServerMetrics metrics = new(ServerInstruments.Of(_factory), "card");
        long began = Stopwatch.GetTimestamp();

        ShouldNotAllocate(() =>
        {
            metrics.Handled(Command.RegionWrite, Errno.None, began);
            metrics.Handled(Command.DmaMap, Errno.EEXIST, began);
            metrics.Handled((Command)999, (Errno)9999, began);
        });

        _heard.Should().Be(listening ? 6 * Times : 0);
    }

    [Fact]
    public void Commands_that_are_counted_for_inspectors_allocate_nothing()
    {
        ServerMetrics metrics = new(ServerInstruments.Of(_factory), "card", keepsTotals: true);
        long began = Stopwatch.GetTimestamp();

        ShouldNotAllocate(() =>
        {
            metrics.Handled(Command.RegionWrite, Errno.None, began);
            metrics.Of(DmaBacking.Mapped).Accessed(write: true, 8);
            metrics.Of(DmaBacking.Mapped).Leased();
        });

        metrics.Totals().Should().Contain(total => total.Instrument == "vfio_user.commands" && total.Value == Times);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Messages_allocate_nothing(bool listening)
    {
        Listen(listening);
        ServerLog log = new(NullLogger.Instance, new ServerMetrics(ServerInstruments.Of(_factory), "card"));
        (MessageSocket one, MessageSocket other) = MessageSocket.CreatePair(new MessageSocketOptions { Trace = log });
        using (one)
        using (other)
        {
            byte[] head = new byte[MessageHeader.WireSize + DmaAccess.WireSize], tail = new byte[100];
            WireFormat.Write(head, new MessageHeader(1, Command.DmaWrite, (uint)(head.Length + tail.Length), MessageFlags.Command, 0));

            ShouldNotAllocate(() =>
            {
                one.Send(head, tail);
                other.Receive(wait: true);
                other.TryParse(out _);
            });

            _heard.Should().Be(listening ? 2 * Times : 0);
        }
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Dma_and_interrupts_allocate_nothing(bool listening)
    {
        IrqDevice device = new();
        using TestGuest guest = TestGuest.Attach(device, new TestGuestOptions { Server = new VfioUserServerOptions { MeterFactory = _factory } });
        Iova address = guest.Place(new byte[8]);
        byte[] buffer = new byte[8];
        Listen(listening);

        ShouldNotAllocate(() =>
        {
            device.Dma.TryRead(address, buffer);
            device.Dma.TryWrite(address, buffer);
            device.Dma.TryAccess(address, 8, writable: true, 0, static (_, _) => { });
            device.MsiX[0].Trigger();
        });

        _heard.Should().Be(listening ? 7 * Times : 0);
    }

    private const int Times = 200;

    private static void ShouldNotAllocate(Action action)
    {
        for (int i = 0; i < Times / 2; i++)
            action();
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < Times / 2; i++)
            action();
        (GC.GetAllocatedBytesForCurrentThread() - before).Should().Be(0);
    }

    private void Listen(bool listening)
    {
        if (listening)
            _listener.Start();
    }

    private sealed class Factory : IMeterFactory
    {
        private readonly List<Meter> _meters = [];

        public Meter Create(MeterOptions options)
        {
            Meter meter = new(options.Name, options.Version, options.Tags, scope: this);
            _meters.Add(meter);
            return meter;
        }

        public void Dispose() => _meters.ForEach(meter => meter.Dispose());
    }
}
