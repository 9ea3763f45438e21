            {
                let k = first + {{ term }}u;
                let weights = k * 4u * H + unit;
                let factor = exchange[published + k];
                a = fma(vec4f(input[weights]), factor, a);
                b = fma(vec4f(input[weights + H]), factor, b);
                c = fma(vec4f(input[weights + 2u * H]), factor, c);
                d = fma(vec4f(input[weights + 3u * H]), factor, d);
            }
