namespace Framebuffer.Guest;

/// <summary>An animation: overlapping sine waves in cycling colours.</summary>
internal sealed class Plasma
{
    private const int Steps = 1024; // of a circle

    private readonly int _width;
    private readonly float[] _sine = [.. Enumerable.Range(0, Steps).Select(step => MathF.Sin(step * MathF.Tau / Steps))];
    private readonly uint[] _palette = [.. Enumerable.Range(0, Steps).Select(Colour)];
    private readonly float[] _distance;

    public Plasma(int width, int height)
    {
        _width = width;
        _distance = new float[width * height];
        for (int i = 0; i < _distance.Length; i++)
            _distance[i] = MathF.Sqrt(MathF.Pow(i % width - width / 2, 2) + MathF.Pow(i / width - height / 2, 2));
    }

    /// <summary>Draws one frame.</summary>
    /// <param name="pixels">Row after row.</param>
    /// <param name="seconds">Since the start.</param>
    public void Draw(Span<uint> pixels, float seconds)
    {
        for (int i = 0; i < pixels.Length; i++)
        {
            int x = i % _width;
            int y = i / _width;
            float wave = Sine(x * 1.6f + seconds * 190) + Sine(y * 2.3f - seconds * 130)
                + Sine((x + y) * 1.1f + seconds * 90) + Sine(_distance[i] * 3.1f - seconds * 310);
            pixels[i] = _palette[(int)(wave * 128 + seconds * 60) & (Steps - 1)];
        }
    }

    private float Sine(float step) => _sine[(int)step & (Steps - 1)];

    private static uint Colour(int step)
    {
        float turn = step * MathF.Tau / Steps;
        return Part(turn, 90, 85) << 16 | Part(turn + 2.4f, 90, 75) << 8 | Part(turn + 1.2f, 150, 80);
    }

    private static uint Part(float turn, float middle, float swing) => (uint)(middle + swing * MathF.Sin(turn));
}
