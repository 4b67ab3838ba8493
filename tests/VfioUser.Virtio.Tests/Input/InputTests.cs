using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;

namespace VfioUser.Virtio.Tests;

public sealed class InputTests
{
    public static TheoryData<Layout> AllLayouts => Layouts.All;

    [Theory]
    [MemberData(nameof(AllLayouts))]
    public void Reports_arrive_in_order_each_with_its_end(Layout layout)
    {
        using VirtioKeyboard keyboard = new();
        using TestGuest guest = TestGuest.Attach(keyboard);
        VirtioDriver driver = VirtioDriver.Start(guest, layout.Options());
        ReceiveQueue events = new(driver, 0, length: 8);

        keyboard.Tap(InputKey.LeftShift, InputKey.A).Should().BeTrue();

        string[] heard = [.. Enumerable.Range(0, 8).Select(_ => Show(events.Receive()))];
        heard.Should().Equal("1.42=1", "0.0=0", "1.30=1", "0.0=0", "1.30=0", "0.0=0", "1.42=0", "0.0=0");
        keyboard.DroppedReports.Should().Be(0);
    }

    [Fact]
    public void Configuration_describes_the_device()
    {
        using VirtioInput device = new(new()
        {
            Name = "Joystick ä",
            Serial = "4711",
            Ids = new(3, 0x1234, 0x5678, 9),
            Properties = [0, 3],
            Codes = new Dictionary<InputEventType, IReadOnlyList<int>> { [InputEventType.Key] = [0x120, 0x121] },
            Axes = new Dictionary<int, InputAxis> { [1] = new(-100, 100, 2, 4, 10) },
        });
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = VirtioDriver.Start(guest);

        Encoding.UTF8.GetString(Ask(driver, 0x01, 0)).Should().Be("Joystick ä");
        Encoding.UTF8.GetString(Ask(driver, 0x02, 0)).Should().Be("4711");
        MemoryMarshal.Read<InputIds>(Ask(driver, 0x03, 0)).Should().Be(new InputIds(3, 0x1234, 0x5678, 9));
        Ask(driver, 0x10, 0).Should().Equal(0b1001);
        Ask(driver, 0x11, 1).Should().Equal([.. new byte[36], 0b11]);
        Ask(driver, 0x11, 3).Should().Equal(0b10);
        Ask(driver, 0x11, 2).Should().BeEmpty();
        MemoryMarshal.Read<InputAxis>(Ask(driver, 0x12, 1)).Should().Be(new InputAxis(-100, 100, 2, 4, 10));
        Ask(driver, 0x12, 0).Should().BeEmpty();
        Ask(driver, 0x77, 0).Should().BeEmpty();
        guest.MsiX[0].Count.Should().Be(0, "the driver has asked for what it reads");
    }

    [Fact]
    public void Mouse_and_tablet_report_movement_and_position()
    {
        using VirtioMouse mouse = new();
        using TestGuest guest = TestGuest.Attach(mouse);
        ReceiveQueue events = new(VirtioDriver.Start(guest), 0, length: 8);
        mouse.Move(5, -3);
        mouse.Set(MouseButton.Right, true);
        mouse.Scroll(-1);

        Enumerable.Range(0, 8).Select(_ => Show(events.Receive()))
            .Should().Equal("2.0=5", "2.1=-3", "0.0=0", "1.273=1", "0.0=0", "2.8=-1", "2.6=0", "0.0=0");

        using VirtioTablet tablet = new();
        using TestGuest other = TestGuest.Attach(tablet);
        events = new(VirtioDriver.Start(other), 0, length: 8);
        tablet.MoveTo(100, 1 << 20);

        Enumerable.Range(0, 3).Select(_ => Show(events.Receive())).Should().Equal("3.0=100", "3.1=32767", "0.0=0");
    }

    [Fact]
    public void Lights_are_what_the_guest_sets()
    {
        using VirtioKeyboard keyboard = new();
        using BlockingCollection<KeyboardLeds> seen = [];
        keyboard.LedsChanged += (_, _) => seen.Add(keyboard.Leds);
        using TestGuest guest = TestGuest.Attach(keyboard);
        VirtioDriver driver = VirtioDriver.Start(guest);

        Tell(driver, new InputEvent(InputEventType.Led, 1, 1));
        Tell(driver, new InputEvent(InputEventType.Led, 0, 1));
        Tell(driver, new InputEvent(InputEventType.Led, 1, 0));
        Tell(driver, new InputEvent(InputEventType.Led, 9, 1));
        Tell(driver, new InputEvent(InputEventType.Led, 2, 1));

        new[] { seen.Take(), seen.Take(), seen.Take(), seen.Take() }.Should().Equal(
            KeyboardLeds.CapsLock, KeyboardLeds.CapsLock | KeyboardLeds.NumLock, KeyboardLeds.NumLock, KeyboardLeds.NumLock | KeyboardLeds.ScrollLock);
    }

    [Fact]
    public void Reports_that_have_no_room_are_dropped_whole_and_keys_are_made_good()
    {
        using VirtioInput device = new(new()
        {
            Name = "keys",
            Capacity = 16,
            Codes = new Dictionary<InputEventType, IReadOnlyList<int>> { [InputEventType.Key] = [.. Enumerable.Range(1, 100)] },
        });
        using TestGuest guest = TestGuest.Attach(device);
        VirtioDriver driver = VirtioDriver.Start(guest);
        for (ushort key = 1; key <= 8; key++)
            device.Report(new InputEvent(InputEventType.Key, key, 1)).Should().BeTrue();

        device.Report(new InputEvent(InputEventType.Key, 9, 1)).Should().BeFalse();
        device.Report(new InputEvent(InputEventType.Key, 1, 0)).Should().BeFalse();
        device.DroppedReports.Should().Be(2);

        ReceiveQueue events = new(driver, 0, length: 8);
        for (int key = 1; key <= 8; key++)
            (Show(events.Receive()), Show(events.Receive())).Should().Be(($"1.{key}=1", "0.0=0"));
        Enumerable.Range(0, 3).Select(_ => Show(events.Receive())).Should().Equal("1.1=0", "1.9=1", "0.0=0");
        device.Report(new InputEvent(InputEventType.Key, 50, 1)).Should().BeTrue();
        Show(events.Receive()).Should().Be("1.50=1");
    }

    [Fact]
    public void Reports_without_a_driver_are_dropped()
    {
        using VirtioKeyboard keyboard = new();
        keyboard.Press(InputKey.A).Should().BeFalse();
        using TestGuest guest = TestGuest.Attach(keyboard);
        keyboard.Press(InputKey.B).Should().BeFalse();
        VirtioDriver driver = VirtioDriver.Start(guest);
        keyboard.Press(InputKey.C).Should().BeTrue();
        driver.Start();

        ReceiveQueue events = new(driver, 0, length: 8);
        keyboard.Press(InputKey.D);

        Show(events.Receive()).Should().Be("1.32=1");
        keyboard.DroppedReports.Should().Be(2);
    }

    [Fact]
    public void Migration_carries_the_question()
    {
        using VirtioKeyboard keyboard = new();
        using TestGuest guest = TestGuest.Attach(keyboard);
        VirtioDriver driver = VirtioDriver.Start(guest);
        ReceiveQueue events = new(driver, 0, length: 8);
        Ask(driver, 0x01, 0);

        using VirtioKeyboard other = new();
        using TestGuest target = guest.MigrateTo(other);
        driver.MoveTo(target);

        driver.ReadConfig<byte>(2).Should().Be((byte)"VfioUser keyboard".Length);
        other.Press(InputKey.Enter);
        Show(events.Receive()).Should().Be("1.28=1");
    }

    [Fact]
    public void Buffers_that_are_too_short_are_an_error_of_the_driver()
    {
        using VirtioKeyboard keyboard = new();
        using TestGuest guest = TestGuest.Attach(keyboard);
        VirtioDriver driver = VirtioDriver.Start(guest);

        driver.Queues[1].Request([1, 2, 3], 0);
        driver.ReadNeedsReset().Should().BeTrue();
        guest.Log.Should().Contain(line => line.Contains("a status has less than 8 bytes", StringComparison.Ordinal));
        driver.Start();
        ReceiveQueue events = new(driver, 0, length: 7);
        keyboard.Press(InputKey.A);

        events.Receive().Should().BeEmpty();
        SpinWait.SpinUntil(driver.ReadNeedsReset, TimeSpan.FromSeconds(30)).Should().BeTrue();
        driver.Start();
        events = new(driver, 0, length: 8);
        keyboard.Press(InputKey.B);
        Show(events.Receive()).Should().Be("1.48=1");
    }

    [Fact]
    public void Questions_at_any_offset_and_of_any_width_are_answered()
    {
        using VirtioTablet tablet = new();
        using TestGuest guest = TestGuest.Attach(tablet);
        VirtioDriver driver = VirtioDriver.Start(guest);
        Random random = new(1);
        byte[] bytes = new byte[8];
        for (int i = 0; i < 2000; i++)
        {
            random.NextBytes(bytes);
            guest.Bar0.Write(0x2000 + random.Next(140), bytes.AsSpan(0, random.Next(1, 9)));
        }

        Encoding.UTF8.GetString(Ask(driver, 0x01, 0)).Should().Be("VfioUser tablet");
    }

    [Fact]
    public void Device_that_cannot_be_described_is_refused()
    {
        FluentActions.Invoking(() => new VirtioInput(new() { Name = "" })).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => new VirtioInput(new() { Name = new string('x', 129) })).Should().Throw<ArgumentException>();
        FluentActions.Invoking(() => new VirtioInput(new() { Name = "x", Properties = [1024] })).Should().Throw<ArgumentException>();
    }

    private static byte[] Ask(VirtioDriver driver, byte selector, byte of)
    {
        driver.WriteConfig(0, selector);
        driver.WriteConfig(1, of);
        int length = driver.ReadConfig<byte>(2);
        return [.. Enumerable.Range(0, length).Select(i => driver.ReadConfig<byte>(8 + i))];
    }

    private static void Tell(VirtioDriver driver, InputEvent status) =>
        driver.Queues[1].Request(MemoryMarshal.AsBytes(new ReadOnlySpan<InputEvent>(in status)), 0);

    private static string Show(byte[] bytes)
    {
        InputEvent one = MemoryMarshal.Read<InputEvent>(bytes);
        return $"{(int)one.Type}.{one.Code}={one.Value}";
    }
}
